// Foreign clients of HTTP/2, across upgrades: curl, nghttp, h2load.
#include <gtest/gtest.h>

#include <iostream>
#include <mutex>
#include <optional>
#include <regex>
#include <tuple>

#include "harness/load_origin.hpp"
#include "harness/log_lines.hpp"
#include "http2/peers.hpp"

namespace baton::harness {
namespace {

class Http2PeersOverBoth : public Http2Peers, public testing::WithParamInterface<Leg> {
 protected:
  Settings settings() const { return settings_for(origin.address(), GetParam()); }
  std::string url(const Baton& baton, const std::string& path) const {
    return Http2Peers::url(baton, GetParam(), path);
  }

  // It says which version of HTTP it spoke after what it received.
  std::vector<std::string> curl(std::vector<std::string> more) const {
    std::vector<std::string> argv{"/usr/bin/curl", "-sS", "--max-time", "60", "-w", " over %{http_version}"};
    if (GetParam() == Leg::tls) argv.insert(argv.end(), {"--http2", "--cacert", authority.path()});
    if (GetParam() == Leg::plain) argv.push_back("--http2-prior-knowledge");
    argv.insert(argv.end(), more.begin(), more.end());
    return argv;
  }
  static Outcome run_patiently(std::vector<std::string> argv) {
    return run({.argv = std::move(argv), .patience = std::chrono::minutes(1)});
  }

  Origin origin;
};

INSTANTIATE_TEST_SUITE_P(Legs, Http2PeersOverBoth, testing::Values(Leg::tls, Leg::plain), name_of_leg);

constexpr std::size_t pieces = 6;
constexpr std::size_t piece_bytes = 5'000'000;

// curl reads so slowly that bytes wait in Baton during all upgrades.
TEST_P(Http2PeersOverBoth, CurlDownloadsAcrossUpgrades) {
  const std::string content = pattern(pieces * piece_bytes);
  Baton baton(settings());
  origin.on("/pieces", [&](Exchange& exchange) {
    exchange.stream.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(content.size()) + "\r\n\r\n");
    for (std::size_t i = 0; i < pieces; ++i) {
      const std::string_view piece = std::string_view(content).substr(i * piece_bytes, piece_bytes);
      if (i != 0) baton.begin_upgrade();
      exchange.stream.send(piece.substr(0, piece_bytes / 2));
      if (i != 0) finish_upgrade_within_answer(baton);
      exchange.stream.send(piece.substr(piece_bytes / 2));
    }
  });
  const Outcome outcome = run_patiently(curl({"--limit-rate", "30M", url(baton, "/pieces")}));
  EXPECT_EQ(outcome.code, 0) << outcome.err << baton.log();
  EXPECT_TRUE(outcome.out == content + " over 2") << outcome.out.size() << " bytes came";
  EXPECT_EQ(baton.number("accepted_total"), 1);
}

// The origin does not read meanwhile, with the same effect.
TEST_P(Http2PeersOverBoth, CurlUploadsAcrossUpgrades) {
  const std::string content = pattern(pieces * piece_bytes);
  replace_file(directory / "upload", content);
  Baton baton(settings());
  origin.on("/pieces", [&](Exchange& exchange) {
    EXPECT_EQ(exchange.request.field("content-length"), std::to_string(content.size()));
    std::string came;
    for (std::size_t i = 0; i < pieces; ++i) {
      if (i != 0) upgrade_within_answer(baton);
      came += exchange.stream.read_exactly(piece_bytes);
    }
    exchange.body_read = true;
    exchange.respond(came == content ? "as sent" : "changed");
  });
  const Outcome outcome = run_patiently(curl({"-T", directory / "upload", url(baton, "/pieces")}));
  EXPECT_EQ(outcome.code, 0) << outcome.err << baton.log();
  EXPECT_EQ(outcome.out, "as sent over 2");
  EXPECT_EQ(baton.number("accepted_total"), 1);
}

TEST_P(Http2PeersOverBoth, CurlSendsHeadAndExpect) {
  Baton baton(settings());
  origin.on("/head", [&](Exchange& exchange) {
    upgrade_within_answer(baton);
    exchange.stream.send("HTTP/1.1 200 OK\r\nContent-Length: 123456\r\n\r\n");
  });
  const Outcome head = run_patiently(curl({"--head", url(baton, "/head")}));
  EXPECT_EQ(head.code, 0) << head.err << baton.log();
  EXPECT_NE(head.out.find("content-length: 123456"), std::string::npos) << head.out;
  // Without the 100 it would wait for longer than it may run.
  replace_file(directory / "upload", pattern(100'000));
  origin.on("/patient", [&](Exchange& exchange) {
    EXPECT_EQ(exchange.request.field("expect"), "100-continue");
    upgrade_within_answer(baton);
    exchange.stream.send("HTTP/1.1 100 Continue\r\n\r\n");
    exchange.read_body();
    exchange.respond(exchange.request.body == pattern(100'000) ? "as sent" : "changed");
  });
  const Outcome expecting = run_patiently(curl({"--expect100-timeout", "600", "-H", "Expect: 100-continue",
                                                "--data-binary", "@" + directory / "upload", url(baton, "/patient")}));
  EXPECT_EQ(expecting.out, "as sent over 2") << expecting.err << baton.log();
}

std::size_t count(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  return static_cast<std::size_t>(
      std::distance(std::sregex_iterator(text.begin(), text.end(), expression), std::sregex_iterator()));
}

// With PRIORITY frames for idle streams, padding, CONTINUATION, and a window of 1 KiB.
TEST_P(Http2PeersOverBoth, NghttpGetsAcrossUpgrades) {
  Baton baton(settings());
  std::mutex mutex;
  std::size_t answered = 0;
  origin.on("/pieces", [&](Exchange& exchange) {
    exchange.stream.send("HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + pattern(10'000));
    {
      const std::lock_guard lock(mutex);
      if (++answered % 10 == 0) upgrade_within_answer(baton);
    }
    exchange.stream.send(pattern(20'000).substr(10'000));
  });
  const Outcome outcome = run_patiently({"/usr/bin/nghttp", "-v", "-n", "-y", "-m", "40", "-w", "10", "-b", "200",
                                         "--continuation", url(baton, "/pieces")});
  EXPECT_EQ(outcome.code, 0) << outcome.err << baton.log();
  EXPECT_EQ(count(outcome.out, "recv \\(stream_id=[0-9]+\\) :status: 200"), 40u);
  EXPECT_EQ(count(outcome.out, "recv DATA frame <length=[0-9]+, flags=0x01"), 40u) << outcome.out;
  std::size_t bytes = 0;
  const std::regex data("recv DATA frame <length=([0-9]+),");
  for (std::sregex_iterator at(outcome.out.begin(), outcome.out.end(), data), end; at != end; ++at)
    bytes += std::stoul((*at)[1]);
  EXPECT_EQ(bytes, 40u * 20'000);
  EXPECT_EQ(count(outcome.out, "recv (GOAWAY|RST_STREAM)"), 0u) << outcome.out;
  EXPECT_GT(origin.last_request().raw_head.size() * 6 / 8, 16'384u) << "no frame can hold it, Huffman-coded or not";
  EXPECT_EQ(baton.number("accepted_total"), 1);
}

TEST_P(Http2PeersOverBoth, NghttpUploadsAcrossUpgrades) {
  const std::string content = pattern(6'000'000);
  replace_file(directory / "upload", content);
  Baton baton(settings());
  std::mutex mutex;
  std::size_t good = 0;
  origin.on("/upload", [&](Exchange& exchange) {
    {
      const std::lock_guard lock(mutex);
      upgrade_within_answer(baton);
    }
    exchange.read_body();
    const Request& request = exchange.request;
    const std::lock_guard lock(mutex);
    good += request.body == content && request.trailer("x-checksum") == "abc" ? 1 : 0;
    exchange.respond("as sent");
  });
  const Outcome outcome =
      run_patiently({"/usr/bin/nghttp", "-v", "-n", "-y", "-m", "3", "--no-content-length", "-b", "100", "-d",
                     directory / "upload", "--trailer", "x-checksum: abc", url(baton, "/upload")});
  EXPECT_EQ(outcome.code, 0) << outcome.err << baton.log();
  EXPECT_EQ(count(outcome.out, "recv \\(stream_id=[0-9]+\\) :status: 200"), 3u) << outcome.out;
  EXPECT_EQ(count(outcome.out, "recv (GOAWAY|RST_STREAM)"), 0u) << outcome.out;
  EXPECT_EQ(good, 3u);
  EXPECT_EQ(baton.number("accepted_total"), 1);
}

// Only over TLS: curl 7.88 cannot use a connection again that began by prior knowledge.
TEST_F(Http2Peers, CurlKeepsItsConnection) {
  Origin origin;
  Baton baton(settings_for(origin.address()));
  origin.on("/upgrading", [&](Exchange& exchange) {
    upgrade_within_answer(baton);
    exchange.respond("done");
  });
  std::vector<std::string> argv{
      "/usr/bin/curl", "-sS", "--http2", "--cacert", authority.path(), "-w", " over %{http_version} %{num_connects}\n"};
  for (int i = 0; i < 5; ++i) argv.push_back(url(baton, Leg::tls, "/upgrading"));
  const Outcome outcome = run({argv});
  EXPECT_EQ(outcome.out, "done over 2 1\ndone over 2 0\ndone over 2 0\ndone over 2 0\ndone over 2 0\n")
      << outcome.err << baton.log();
}

constexpr std::uint64_t load_requests = 24'000;

class H2load : public Http2Peers {
 protected:
  // Each upgrade begins and ends within the load, since requests wait at the origin for its end. `protocol`: of the
  // server.
  void expect_unnoticed(Leg leg, const std::string& protocol, std::uint64_t requests, std::uint64_t upgrades) {
    const std::uint64_t requests_of_each = requests / upgrades;
    Baton* proxy = nullptr;
    LoadOrigin origin("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", [&](std::uint64_t request) {
      if (request % requests_of_each == requests_of_each / 4) proxy->begin_upgrade();
      if (request % requests_of_each == requests_of_each * 3 / 4) {
        EXPECT_NO_THROW(proxy->finish_upgrade());
      }
    });
    // Another Baton is the server of HTTP/2.
    std::optional<Baton> back;
    if (protocol == "http2") back.emplace(Settings(origin.address()));
    Settings settings = settings_for(back ? back->address() : origin.address(), leg);
    settings.server_protocol = protocol;
    Baton baton(settings);
    proxy = &baton;
    const std::string number = std::to_string(requests);
    const Outcome outcome =
        run({.argv = {"/usr/bin/h2load", "-n", number, "-c", "8", "-m", "32", "-t", "1", url(baton, leg, "/")},
             .patience = std::chrono::minutes(30)});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_NE(outcome.out.find(leg == Leg::tls ? "Application protocol: h2\n" : "Application protocol: h2c\n"),
              std::string::npos)
        << outcome.out;
    EXPECT_NE(outcome.out.find("requests: " + number + " total, " + number + " started, " + number + " done, " +
                               number + " succeeded, 0 failed, 0 errored, 0 timeout\nstatus codes: " + number +
                               " 2xx, 0 3xx, 0 4xx, 0 5xx\n"),
              std::string::npos)
        << outcome.out << baton.log();
    EXPECT_EQ(baton.count_log_lines(log_lines::upgrade_report), upgrades) << baton.log();
    EXPECT_EQ(baton.number("accepted_total"), 8);
    if (HasFailure() || upgrades > 5) std::cout << outcome.out << baton.number("generation") << " generations\n";
  }
};

TEST_F(H2load, SeesNoUpgrade) {
  expect_unnoticed(Leg::tls, "http1", load_requests, 5);
}

// By hand (CONTRIBUTING.md): minutes each.
class H2loadByHand : public H2load, public testing::WithParamInterface<std::tuple<Leg, const char*>> {};

TEST_P(H2loadByHand, DISABLED_SeesNoneOfAHundredUpgrades) {
  const auto [leg, protocol] = GetParam();
  expect_unnoticed(leg, protocol, 100 * load_requests, 100);
}

INSTANTIATE_TEST_SUITE_P(Each, H2loadByHand,
                         testing::Combine(testing::Values(Leg::tls, Leg::plain), testing::Values("http1", "http2")),
                         [](const auto& one) {
                           return testing::PrintToString(std::get<0>(one.param)) + "To" + std::get<1>(one.param);
                         });

}  // namespace
}  // namespace baton::harness
