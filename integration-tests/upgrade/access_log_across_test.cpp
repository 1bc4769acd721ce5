// The access log and the counters across moves: the process that ends an exchange writes its one line, which knows when
// it began and what its predecessors forwarded; no number ever decreases.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <boost/json.hpp>
#include <ctime>
#include <future>
#include <list>
#include <map>
#include <set>
#include <sstream>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

constexpr std::string_view websocket_fields = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

std::int64_t unix_ms() {
  return std::chrono::duration_cast<Milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The loop's clock and ours may differ by a round of events, which is far less than a move takes.
constexpr std::int64_t tolerance_ms = 300;

class AccessLogAcross : public testing::TestWithParam<int> {
 protected:
  explicit AccessLogAcross(const std::string& format = "json") : format_(format) {}

  Settings settings() const {
    Settings settings(origin.address());
    settings.handoff += ", finish_timeout: 500ms";  // each move of an exchange takes at least this long
    settings.log = "access: { path: \"-\", format: " + format_ + " }";
    return settings;
  }

  void move(Baton& baton) const {
    for (int i = 0; i < GetParam(); ++i) {
      const std::string report = baton.upgrade();
      EXPECT_NE(report.find("taken_back=0, refused=0"), std::string::npos) << report;
    }
  }

  // The only line that contains `what`, among all that the service wrote until its end.
  static std::string only_line(Baton& baton, const std::string& what) {
    baton.signal(SIGTERM);
    baton.await_exit();
    std::istringstream lines(baton.access_log());
    std::string found;
    int count = 0;
    for (std::string line; std::getline(lines, line);) {
      if (line.find(what) == std::string::npos) continue;
      found = line;
      ++count;
    }
    EXPECT_EQ(count, 1) << baton.access_log();
    return found;
  }

  Origin origin;

 private:
  const std::string format_;
};

INSTANTIATE_TEST_SUITE_P(Moved, AccessLogAcross, testing::Values(1, 2),
                         [](const auto& row) { return row.param == 1 ? "Once" : "Twice"; });

std::string text(const boost::json::object& line, const char* key) {
  return std::string(line.at(key).as_string());
}

// The times that the test saw: the exchange began between the first two, and ended between the last two.
struct Times {
  std::int64_t before_begin = 0, after_begin = 0, before_end = 0, after_end = 0;

  void expect_of(const boost::json::object& line) const {
    const std::int64_t duration_ms = line.at("duration_ms").to_number<std::int64_t>();
    EXPECT_GE(duration_ms, before_end - after_begin - tolerance_ms) << boost::json::serialize(line);
    EXPECT_LE(duration_ms, after_end - before_begin + tolerance_ms) << boost::json::serialize(line);
    const std::int64_t ended_ms = time_of(text(line, "time"));
    EXPECT_GE(ended_ms, before_end - tolerance_ms) << boost::json::serialize(line);
    EXPECT_LE(ended_ms, after_end + tolerance_ms) << boost::json::serialize(line);
  }

  // Of "2026-11-22T10:41:34.379+00:00".
  static std::int64_t time_of(const std::string& text) {
    std::tm time{};
    const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
    int milliseconds = 0, hours = 0, minutes = 0;
    char sign = '+';
    if (rest == nullptr || std::sscanf(rest, ".%3d%c%2d:%2d", &milliseconds, &sign, &hours, &minutes) != 4) return 0;
    const std::int64_t offset_s = (sign == '-' ? -60 : 60) * (hours * 60 + minutes);
    return (::timegm(&time) - offset_s) * 1000 + milliseconds;
  }
};

TEST_P(AccessLogAcross, ADownloadsLineKnowsItsBeginAndAllItsBytes) {
  Baton baton(settings());
  for (const char* path : {"/half/500000", "/half-chunked/500000"}) {
    Client client = baton.connect();
    Times times{.before_begin = unix_ms()};
    origin.gate().shut();
    const std::size_t requests = origin.requests().size();
    client.send(get_request(path, "User-Agent: tester\r\nReferer: http://from/\r\n"));
    origin.await_requests(requests + 1);
    times.after_begin = unix_ms();
    const std::string begun = client.read_through("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    move(baton);
    times.before_end = unix_ms();
    origin.gate().open();
    // All of it is read: what waits for the client keeps the exchange from ending.
    if (std::string_view(path).find("chunked") == std::string_view::npos) {
      client.read_exactly(500'000 - (begun.size() - begun.find("\r\n\r\n") - 4));
    } else {
      client.read_through(last_chunk);
    }
    const auto line = boost::json::parse(baton.await_access_log(std::regex(path))).as_object();
    times.after_end = unix_ms();
    times.expect_of(line);
    EXPECT_EQ(text(line, "request"), std::string("GET ") + path + " HTTP/1.1");
    EXPECT_EQ(line.at("status").to_number<int>(), 200);
    EXPECT_EQ(line.at("bytes").to_number<int>(), 500'000);
    EXPECT_EQ(text(line, "user_agent"), "tester");
    EXPECT_EQ(text(line, "referer"), "http://from/");
    EXPECT_EQ(text(line, "upstream"), origin.address().text());
    EXPECT_EQ(text(line, "listener"), "web");
  }
  only_line(baton, "/half/500000");
}

TEST_P(AccessLogAcross, AnUploadsLineIsWrittenOnce) {
  Baton baton(settings());
  Client client = baton.connect();
  const std::string request = post_request("/count", pattern(200'000));
  Times times{.before_begin = unix_ms()};
  client.send(std::string_view(request).substr(0, 100'000));
  origin.await_requests(1);
  times.after_begin = unix_ms();
  move(baton);
  times.before_end = unix_ms();
  client.send(std::string_view(request).substr(100'000));
  const std::string answer = client.response().body;
  EXPECT_EQ(answer, "200000 as sent");
  baton.await_access_log(std::regex("/count"));
  times.after_end = unix_ms();
  const auto line = boost::json::parse(only_line(baton, "/count")).as_object();
  times.expect_of(line);
  EXPECT_EQ(line.at("bytes").to_number<std::size_t>(), answer.size());
}

TEST_P(AccessLogAcross, AWebSocketsLineIsWrittenAtItsEnd) {
  Baton baton(settings());
  Client client = baton.connect(), waiting = baton.connect();
  waiting.send(get_request("/held"));  // so that an upgrade takes its time, although tunnels move at once
  origin.gate().await_arrivals(1);
  Times times{.before_begin = unix_ms()};
  EXPECT_EQ(client.get("/websocket", websocket_fields).status(), 101);
  times.after_begin = unix_ms();
  for (int i = 0; i < GetParam(); ++i) {
    client.send("hello");
    EXPECT_EQ(client.read_exactly(5), "hello");
    baton.upgrade();
  }
  EXPECT_EQ(baton.access_log(), "") << "it has not ended";
  origin.gate().open();
  EXPECT_EQ(waiting.response().body, "held");
  times.before_end = unix_ms();
  client.half_close();
  client.expect_fin();
  baton.await_access_log(std::regex("/websocket"));
  times.after_end = unix_ms();
  const auto line = boost::json::parse(only_line(baton, "/websocket")).as_object();
  times.expect_of(line);
  EXPECT_EQ(line.at("status").to_number<int>(), 101);
  EXPECT_EQ(line.at("bytes").to_number<int>(), 5 * GetParam());
  EXPECT_EQ(text(line, "request"), "GET /websocket HTTP/1.1");
}

TEST_P(AccessLogAcross, RawTcpHasOneLineHoweverOftenItMoves) {
  Settings raw = settings();
  raw.protocol = "tcp";
  Baton baton(raw);
  Client client = baton.connect();
  for (int i = 0; i < GetParam(); ++i) {
    EXPECT_EQ(client.get("/bytes/4").body, pattern(4));
    baton.upgrade();
  }
  client.half_close();
  client.expect_fin();
  const auto line = boost::json::parse(baton.await_access_log(std::regex("TCP"))).as_object();
  EXPECT_EQ(text(line, "ended"), "done");
  EXPECT_EQ(line.at("bytes_in").to_number<std::size_t>(),
            get_request("/bytes/4").size() * static_cast<std::size_t>(GetParam()));
  EXPECT_EQ(baton.number("requests_total"), 0);
  baton.signal(SIGTERM);
  baton.await_exit();
  EXPECT_EQ(baton.access_log().find('\n'), baton.access_log().size() - 1) << baton.access_log();
}

class CombinedLogAcross : public AccessLogAcross {
 protected:
  CombinedLogAcross() : AccessLogAcross("combined") {}
};

INSTANTIATE_TEST_SUITE_P(Moved, CombinedLogAcross, testing::Values(1, 2),
                         [](const auto& row) { return row.param == 1 ? "Once" : "Twice"; });

TEST_P(CombinedLogAcross, EveryExchangeInFlightHasOneLine) {
  Baton baton(settings());
  std::list<Client> clients;
  for (int i = 0; i < 10; ++i) {
    clients.emplace_back(baton.address())
        .send(get_request("/half/4000?number=" + std::to_string(i), "User-Agent: tester\r\n"));
  }
  origin.gate().await_arrivals(10);
  move(baton);
  origin.gate().open();
  for (Client& client : clients) EXPECT_EQ(client.response().body, pattern(4000));
  baton.await_number("requests_total", 10);
  baton.signal(SIGTERM);
  baton.await_exit();
  std::istringstream lines(baton.access_log());
  std::multiset<std::string> numbers;
  const std::regex form(
      R"re(127\.0\.0\.1 - - \[[^\]]+\] "GET /half/4000\?number=(\d) HTTP/1\.1" 200 4000 "-" "tester")re");
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    EXPECT_TRUE(std::regex_match(line, match, form)) << line;
    if (!match.empty()) numbers.insert(match[1]);
  }
  EXPECT_EQ(numbers, (std::multiset<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}));
}

// ── Counters ──────────────────────────────────────────────────────────────────────────────────────────────────────

// What all clients of this test count, for as long as it runs.
struct Counted {
  std::atomic<bool> over = false;
  std::atomic<std::int64_t> connections = 0;
  std::atomic<std::int64_t> requests = 0;
  std::atomic<int> looks = 0;
};

// A test that fails midway also ends the busy threads.
struct OverAtTheEnd {
  Counted& counted;
  ~OverAtTheEnd() { counted.over = true; }
};

// Asks for /status all the time, whichever process answers.
void watch(const Baton& baton, Counted& counted) {
  std::map<std::string, std::int64_t> before;
  while (!counted.over) {
    const auto status = baton.status();
    for (const char* name : {"accepted_total", "requests_total", "generation"}) {
      const auto now = status.at(name).to_number<std::int64_t>();
      EXPECT_GE(now, before[name]) << name;
      before[name] = now;
    }
    ++counted.looks;
  }
}

// One connection that stays, and new ones all the time.
void load(const Baton& baton, Counted& counted) {
  Client steady = baton.connect();
  ++counted.connections;
  while (!counted.over) {
    EXPECT_EQ(steady.get("/bytes/7").body, pattern(7));
    EXPECT_EQ(baton.connect().get("/bytes/8", "Connection: close\r\n").body, pattern(8));
    ++counted.connections;
    counted.requests += 2;
  }
}

TEST(Counters, NeverGoBackwardsAndAddUpOverGenerations) {
  constexpr int upgrades = 6;
  Origin origin;
  Settings settings(origin.address());
  settings.handoff += ", finish_timeout: 50ms";
  Baton baton(settings);
  Counted counted;
  std::list<std::future<void>> busy;
  const OverAtTheEnd over{counted};
  busy.push_back(std::async(std::launch::async, [&] { watch(baton, counted); }));
  for (int i = 0; i < 3; ++i) busy.push_back(std::async(std::launch::async, [&] { load(baton, counted); }));
  for (int i = 0; i < upgrades; ++i) {
    baton.upgrade();
    const int looks = counted.looks;
    const std::int64_t requests = counted.requests;
    await([&] { return counted.looks > looks && counted.requests > requests; }, "service after the upgrade");
  }
  counted.over = true;
  for (auto& one : busy) one.get();
  baton.await_number("requests_total", counted.requests);
  EXPECT_EQ(baton.number("accepted_total"), counted.connections);
  EXPECT_EQ(baton.number("generation"), upgrades + 1);
}

}  // namespace
}  // namespace baton::harness
