// Hostile clients of HTTP/2, across an upgrade, while others are served by the same thread. The frames are hyper-h2's.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>

#include "harness/answers.hpp"
#include "harness/http2_client.hpp"
#include "harness/tls_client.hpp"
#include "http2/peers.hpp"

namespace baton::harness {
namespace {

class Hostile : public Http2Peers {
 protected:
  // One thread serves everybody. Below /busy one request is served at a time, and the others wait.
  Settings settings(const std::string& limits = "") const {
    Settings settings = settings_for(origin.address());
    settings.workers = 1;
    settings.limits = limits;
    settings.more_upstreams = "  - { name: busy, servers: [ { address: \"" + origin.address().text() +
                              "\", max_connections: 1 } ], queue: { wait: 10m } }\n";
    settings.more = "routes:\n  - { match: { path_prefix: /busy }, upstream: busy }\n  - { upstream: web }\n";
    return settings;
  }
  Command script(const std::string& name, const Baton& baton, const std::vector<std::string>& more = {}) const {
    Command command{.argv = {"/usr/bin/python3", "-B", HTTP2_PEERS "/python/" + name,
                             std::to_string(baton.address().port), authority.path()},
                    .has_input = true};
    command.argv.insert(command.argv.end(), more.begin(), more.end());
    return command;
  }
  static std::unique_ptr<Http2Client> decent_client(const Baton& baton) {
    return std::make_unique<Http2Client>(std::make_unique<TlsClient>(baton.address(), TlsOptions{.alpn = "h2"}));
  }
  // The most memory that the process has had, in bytes.
  static std::size_t memory_peak(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6)) * 1024;
    throw Failure("no memory is known of process " + std::to_string(pid));
  }

  Origin origin;
};

struct Attack {
  std::string name;
  std::string ends_with;
  std::string logged;
  std::string limits = "";
};
void PrintTo(const Attack& attack, std::ostream* out) {
  *out << attack.name;
}

class Attacks : public Hostile, public testing::WithParamInterface<Attack> {};

constexpr std::size_t memory_of_an_attack = 32 * 1024 * 1024;

TEST_P(Attacks, EndTheirConnectionAndNoOther) {
  origin.on("/busy", built_in_answers().at("/held"));
  Baton baton(settings(GetParam().limits));
  const std::unique_ptr<Http2Client> decent = decent_client(baton);
  const std::int32_t held = decent->begin_get("/busy");
  origin.gate().await_arrivals(1);
  Process attacker(script("attacks.py", baton, {GetParam().name}));
  attacker.await_line(Process::Stream::out, std::regex("^half$"));
  baton.upgrade();
  const std::size_t memory = memory_peak(baton.pid());
  attacker.type("go on\n");
  do {
    EXPECT_EQ(decent->get("/bytes/1000").body, pattern(1'000));
  } while (is_alive(attacker.pid()));
  EXPECT_EQ(attacker.await_exit(), (Ended{0, 0})) << attacker.err();
  EXPECT_EQ(attacker.out(), "half\n" + GetParam().ends_with + "\n") << attacker.err() << baton.log();
  EXPECT_EQ(decent->get("/bytes/1000").body, pattern(1'000));
  baton.await_number("connections.total", 1);
  EXPECT_LT(memory_peak(baton.pid()), memory + memory_of_an_attack);
  baton.await_log(std::regex("HTTP/2 with 127\\.0\\.0\\.1:[0-9]+ on web failed: " + GetParam().logged));
  origin.gate().open();
  EXPECT_EQ(decent->await_end(held).body, "held");
}

const std::string calm = "goaway 11";
const std::string useless = "too many useless frames";

INSTANTIATE_TEST_SUITE_P(
    All, Attacks,
    testing::Values(Attack{"pings", calm, useless}, Attack{"settings", calm, useless},
                    Attack{"priorities", calm, useless}, Attack{"window_updates", calm, useless},
                    Attack{"unknown_frames", calm, useless}, Attack{"goaways", calm, useless},
                    Attack{"empty_data", calm, useless}, Attack{"padded_nothing", calm, useless},
                    Attack{"nothing_but_padding", calm, useless}, Attack{"rapid_resets", calm, useless},
                    Attack{"resets_by_mistakes", calm, useless}, Attack{"resets_by_lengths", calm, useless},
                    Attack{"malformed_requests", calm, useless}, Attack{"too_many_streams", calm, useless},
                    Attack{"settings_of_windows", calm, useless}, Attack{"window_by_window", calm, useless},
                    Attack{"continuations", calm, "a header block is too long"},
                    Attack{"long_continuations", calm, "a header block is too long"},
                    Attack{"interrupted_block", "goaway 1", "a header block is interrupted"},
                    Attack{"invalid_block", "goaway 9", "a header block is invalid"},
                    Attack{"table_beyond_its_limit", "goaway 9", "a header block is invalid"},
                    Attack{"windows_out_of_range", "goaway 3", "the connection's window is out of range"},
                    Attack{"ignored_windows", "goaway 3", "the connection's window is exceeded",
                           "http2_stream_window: 65535, http2_connection_window: 65535"}),
    [](const auto& one) { return one.param.name; });

TEST_F(Hostile, RequestsSmuggleNothing) {
  Baton baton(settings());
  origin.on("/good", [](Exchange& exchange) { exchange.respond("good"); });
  origin.on("/passes", built_in_answers().at("/echo"));
  Process smuggler(script("smuggling.py", baton));
  smuggler.await_line(Process::Stream::out, std::regex("^half$"));
  baton.upgrade();
  smuggler.type("go on\n");
  EXPECT_EQ(smuggler.await_exit(), (Ended{0, 0})) << smuggler.err() << baton.log();
  EXPECT_EQ(smuggler.out(), "half\nok\n") << smuggler.err();
  EXPECT_EQ(baton.number("accepted_total"), 1);
  const std::vector<Request> requests = origin.requests();
  EXPECT_GT(requests.size(), 100u);
  for (const Request& one : requests)
    EXPECT_TRUE(one.target() == "/good" || one.target() == "/passes/echo") << one.raw_head;
}

TEST_F(Hostile, TooMuchOfAStreamEndsTheStream) {
  Baton baton(settings());
  const std::unique_ptr<Http2Client> decent = decent_client(baton);
  Process script(this->script("bounds.py", baton));
  script.await_line(Process::Stream::out, std::regex("^half$"));
  baton.upgrade();
  script.type("go on\n");
  EXPECT_EQ(script.await_exit(), (Ended{0, 0})) << script.err() << baton.log();
  EXPECT_EQ(script.out(),
            "half\n"
            "stream 101: reset 7\n"
            "after a reset: 200\n"
            "more than a stream's window: reset 3\n");
  EXPECT_EQ(decent->get("/bytes/1000").body, pattern(1'000));
}

// Their times are over in the successor, which has shorter ones.
TEST_F(Hostile, WhatNeverEndsIsEnded) {
  Settings settings = this->settings();
  Baton baton(settings);
  const std::unique_ptr<Http2Client> decent = decent_client(baton);
  Process script(this->script("endless.py", baton));
  script.await_line(Process::Stream::out, std::regex("^half$"));
  settings.binds = {baton.address()};
  settings.timeouts = "handshake: 60s, head: 500ms, body: 500ms, send: 500ms";
  replace_file(baton.config_path(), to_yaml(settings, baton.directory()));
  baton.upgrade();
  script.type("go on\n");
  do {
    EXPECT_EQ(decent->get("/bytes/1000").body, pattern(1'000));
  } while (is_alive(script.pid()));
  EXPECT_EQ(script.await_exit(), (Ended{0, 0})) << script.err() << baton.log();
  EXPECT_EQ(script.out(),
            "half\n"
            "an upload that never ends: 408\n"
            "a window that stays shut: reset 8\n"
            "a header block that never ends: goaway 0\n");
  EXPECT_FALSE(decent->goaway());
}

}  // namespace
}  // namespace baton::harness
