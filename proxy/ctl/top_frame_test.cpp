#include "proxy/ctl/top_frame.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <algorithm>
#include <sstream>

#include "proxy/runtime/text.hpp"

namespace baton::ctl {
namespace {

namespace json = boost::json;

constexpr std::int64_t now_ms = 1'700'000'000'000;

json::object parsed(const std::string& text) {
  return json::parse(text).as_object();
}

std::string upgrade(const std::string& result, int from, const std::string& reason = "") {
  return R"({"result":")" + result + R"(","reason":")" + reason + R"(","from_generation":)" + std::to_string(from) +
         R"(,"to_generation":)" + std::to_string(from + 1) +
         R"(,"moved_total":276,"pause_us":{"p99":7569,"max":18575},"at_ms":)" + std::to_string(now_ms - 720'000) + "}";
}

Heard heard() {
  Heard heard;
  const auto status = [](int requests) {
    return parsed(
        R"({"generation":7,"pid":4007,"version":"0.3.0","state":"serving","maintenance":false,"started_at_ms":)" +
        std::to_string(now_ms - 600'000) +
        R"(,"connections":{"idle":243,"head":3,"exchange":12,"tunnel":18,)"
        R"("closing":0,"total":276},"upstream_idle":41,"requests_total":)" +
        std::to_string(requests) + R"(,"crashes":{"total":0},"certificates":[],"upgrades":[)" +
        upgrade("completed", 6) + "," + upgrade("rolled_back", 6, "the configuration is invalid") + "]}");
  };
  const auto servers = [](int requests) {
    return parsed(R"({"servers":[{"upstream":"app","address":"10.0.4.11:9000","state":"up","why":"","connections":9,)"
                  R"("requests_total":)" +
                  std::to_string(requests) +
                  R"(,"failures_total":0,"response_p50_ms":3,"response_p99_ms":19},{"upstream":"app",)"
                  R"("address":"10.0.4.12:9000","state":"down","why":"HTTP 503","connections":0,"requests_total":5,)"
                  R"("failures_total":41,"response_p50_ms":0,"response_p99_ms":0}]})");
  };
  heard.take_status(status(10'000), now_ms - 1000);
  heard.take_status(status(12'843), now_ms);
  heard.take_servers(servers(100), now_ms - 2000);
  heard.take_servers(servers(125), now_ms);
  heard.take_routes(
      parsed(R"({"routes":[{"name":"*","action":"upstream app","requests_total":12843,"failures_total":3}]})"), now_ms);
  heard.history = parsed(R"({"every_s":10,"until_ms":1,"requests":[1000,null,20000],"failures":[0,null,25],)"
                         R"("p50_ms":[1,null,2],"p99_ms":[9,null,14],"connections":[100,null,270]})");
  return heard;
}

std::vector<std::string> lines_of(const std::string& frame) {
  std::vector<std::string> lines;
  std::istringstream in(frame);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}
std::size_t characters(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(std::max<std::size_t>(runtime::utf8_character_bytes(text), 1));
  return count;
}
std::string without_colours(std::string text) {
  for (std::size_t at = 0; (at = text.find('\x1b')) != std::string::npos;) text.erase(at, text.find('m', at) - at + 1);
  return text;
}

TEST(TopFrame, ShowsEverythingIn80By24) {
  EXPECT_EQ(top_frame(heard(), {}, false),
            "Baton 0.3.0  serving  generation 7  PID 4007  up 10 min                   q ends\n"
            "\n"
            "requests     2,843/s                                   ▁ █  at most 2,000/s\n"
            "errors       2.5/s                                     ▁ █  at most 2.5/s\n"
            "latency p99  14 ms                                     ▆ █  at most 14 ms\n"
            "connections  276                                       ▄ █  at most 270\n"
            "  idle 243, head 3, exchange 12, tunnel 18, closing 0, idle to servers 41\n"
            "\n"
            "servers                      state    in flight     per s   failed    p50    p99\n"
            "app/10.0.4.11:9000           up               9      12.5        0    3ms   19ms\n"
            "app/10.0.4.12:9000           down             0         0       41      -      -\n"
            "\n"
            "upgrades\n"
            "12 min ago     completed    6 to 7, 276 moved, pause p99 7.6 ms, max 18.6 ms\n"
            "12 min ago     rolled_back  6 stays: the configuration is invalid\n"
            "\n"
            "routes                            per s      requests   failed  action\n"
            "*                                     -        12,843        3  upstream app");
}

TEST(TopFrame, NeverExceedsTheWindow) {
  Heard many = heard();
  for (int i = 0; i < 40; ++i) {
    many.servers.push_back(
        parsed(R"({"upstream":"app","address":"a-long-name-of-a-server-in-another-place.example.com:)" +
               std::to_string(9000 + i) + R"(","state":"ejected","why":"日本語 five failures","connections":1})"));
    many.routes.push_back(parsed(R"({"name":"grün )" + std::to_string(i) + R"(","action":"respond 204"})"));
  }
  many.upgrade = upgrade_in_words(parsed(R"({"event":"moving","left":1,"of":3})"));
  many.problem = "reconnecting";
  many.status["crashes"] = parsed(R"({"total":2,"whole_total":30,"lost_total":1})");
  many.status["certificates"] = json::parse(R"([{"names":["a.example"],"days_left":3}])");
  for (std::size_t rows = 1; rows <= 60; ++rows) {
    for (const std::size_t columns : {1, 2, 10, 40, 79, 80, 81, 132, 400}) {
      const auto lines = lines_of(without_colours(top_frame(many, {rows, columns}, true)));
      EXPECT_LE(lines.size(), rows);
      for (const std::string& line : lines) EXPECT_LE(characters(line), columns) << line;
    }
  }
  EXPECT_EQ(lines_of(top_frame(many, {50, 80}, false)).size(), 50u) << "what there is to show fills it";
}

TEST(TopFrame, ColoursChangeNoText) {
  EXPECT_EQ(without_colours(top_frame(heard(), {}, true)), top_frame(heard(), {}, false));
  EXPECT_EQ(top_frame(heard(), {}, false).find('\x1b'), std::string::npos);
}

TEST(TopFrame, SaysWhatIsUnknownAndWhatIsWrong) {
  EXPECT_NE(top_frame({}, {.rows = 0}, false).find("\n\nrequests     -/s\n"), std::string::npos);
  Heard wrong = heard();
  wrong.problem = "reconnecting";
  wrong.status["crashes"] = parsed(R"({"total":2,"whole_total":30,"lost_total":1})");
  wrong.status["certificates"] = json::parse(R"([{"names":["a.example"],"days_left":3},{"names":[],"days_left":9}])");
  const std::string frame = top_frame(wrong, {}, false);
  EXPECT_NE(frame.find("reconnecting\n"), std::string::npos) << frame;
  EXPECT_NE(frame.find("crashes      2 (30 connections went on, 1 lost)\n"), std::string::npos) << frame;
  EXPECT_NE(frame.find("certificate  a.example expires in 3 days\n"), std::string::npos) << frame;
  EXPECT_EQ(frame.find("no name"), std::string::npos) << "one line is enough";
}

TEST(TopFrame, TakesAnythingAndLetsNoControlCharacterThrough) {
  const json::value odd[] = {
      nullptr, true, -1, 1e300, "\x1b[2J\n", json::array{1, nullptr, json::object{}}, json::object{{"\x1b", 1}}};
  const Heard good = heard();
  const auto spoil = [&](auto change) {
    for (const json::value& value : odd) {
      Heard bad = good;
      change(bad, value);
      const std::string frame = top_frame(bad, {}, false);
      EXPECT_EQ(frame.find('\x1b'), std::string::npos);
      EXPECT_LE(lines_of(frame).size(), 24u);
    }
  };
  for (const auto& [key, value] : good.status) {
    spoil([&](Heard& bad, const json::value& to) { bad.status[key] = to; });
  }
  for (const auto& [key, value] : good.history) {
    spoil([&](Heard& bad, const json::value& to) { bad.history[key] = to; });
  }
  for (const auto& [key, value] : good.servers[0].as_object()) {
    spoil([&](Heard& bad, const json::value& to) { bad.servers[0].as_object()[key] = to; });
  }
  for (const auto& [key, value] : good.routes[0].as_object()) {
    spoil([&](Heard& bad, const json::value& to) { bad.routes[0].as_object()[key] = to; });
  }
  for (const auto& [key, value] : good.status.at("upgrades").as_array()[0].as_object()) {
    spoil([&](Heard& bad, const json::value& to) { bad.status["upgrades"].as_array()[0].as_object()[key] = to; });
  }
}

TEST(TopFrame, AnUpgradeSaysItsCanaryAndTheVerdict) {
  Heard with_canary = heard();
  json::array& upgrades = with_canary.status["upgrades"].as_array();
  upgrades[0].as_object()["canary"] = parsed(R"({"share":5.0,"verdict":"go_on"})");
  upgrades[1].as_object()["canary"] = parsed(R"({"share":0.25,"verdict":"back"})");
  const std::string frame = top_frame(with_canary, {}, false);
  EXPECT_NE(frame.find("6 to 7, canary 5% go on, 276 moved"), std::string::npos) << frame;
  EXPECT_NE(frame.find("6 stays, canary 0.25% back: the configuration is inv"), std::string::npos) << frame;
  upgrades[0].as_object()["canary"] = parsed(R"({"share":"x"})");
  EXPECT_NE(top_frame(with_canary, {}, false).find("6 to 7, canary 0%"), std::string::npos);
}

TEST(TopFrame, TheLastUpgradeOfAnOlderVersionIsShown) {
  Heard older = heard();
  older.status.erase("upgrades");
  older.status["last_upgrade"] = parsed(upgrade("completed", 3));
  EXPECT_NE(top_frame(older, {}, false).find("3 to 4, 276 moved"), std::string::npos);
}

TEST(Rates, AreOfTheLastTwoTotals) {
  Rates rates;
  rates.take({{"a", 10}, {"b", 1}}, 1000);
  EXPECT_EQ(rates.of("a"), std::nullopt);
  rates.take({{"a", 20}}, 3000);
  EXPECT_EQ(rates.of("a"), 5);
  EXPECT_EQ(rates.of("b"), std::nullopt) << "it is gone";
  rates.take({{"a", 7}}, 4000);
  EXPECT_EQ(rates.of("a"), 0) << "a new process may count from 0";
}

TEST(UpgradeInWords, HasAStateForEachEvent) {
  const auto words = [](const char* event) { return upgrade_in_words(parsed(event)); };
  EXPECT_EQ(words(R"({"event":"started","pid":4712,"binary":"/usr/bin/b\u001bn"})"),
            "upgrade: PID 4712 starts: /usr/bin/b\uFFFDn");
  EXPECT_EQ(words(R"({"event":"waiting"})"), "");
  EXPECT_EQ(words(R"({"event":"moving","left":3,"of":4})"),
            "upgrade: [#######-----------------------] 1 of 4 connections have left");
  EXPECT_EQ(words(R"({"event":"probation","left_ms":9500,"accepted":12,"served":40,"failed":1})"),
            "upgrade: on probation for 10 s more: 40 requests, 1 of them failed");
  EXPECT_EQ(words(R"({"event":"canary","left_ms":12000,"canary":{"share":5,"verdict":"wait",)"
                  R"("canary":{"exchanges":9,"clients_failed":2},"others":{"exchanges":99,"clients_failed":3}}})"),
            "canary 5%, wait, 12 s left: 9 requests, 2 clients failed; others 99, 3");
  EXPECT_EQ(words(R"({"event":"canary","left_ms":12000,"canary":{"share":5}})"), "");
  EXPECT_EQ(words(R"({"event":"result","upgrade":{"result":"rolled_back","reason":"it died"}})"),
            "upgrade: rolled_back: it died");
  EXPECT_EQ(words(R"({"event":7})"), "");
}

}  // namespace
}  // namespace baton::ctl
