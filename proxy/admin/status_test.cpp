#include "proxy/admin/status.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <limits>

namespace baton::admin {
namespace {

namespace json = boost::json;

Status with_upgrade() {
  Status status;
  status.generation = 2;
  status.pid = 4712;
  status.supervisor = 4700;
  status.keeper = 4713;
  status.version = "0.1.0";
  status.state = State::draining;
  status.configuration = {true, 1'700'000'000'001};
  status.listening = {{"web", "127.0.0.1:8080"}, {"@admin", "unix:/a"}};
  status.connections = {.idle = 1, .head = 2, .exchange = 3, .tunnel = 4, .closing = 5, .upstream_idle = 6};
  status.accepted_total = 7;
  status.requests_total = 8;
  status.aborted_total = 9;
  status.rate_refusals_total = 11;
  status.connection_refusals_total = 12;
  status.access_refusals_total = 13;
  status.started_at_us = 1'700'000'000'000'500;
  status.admin_token = true;
  handoff::Report report;
  report.from = {1, 4711, "0.0.9"};
  report.to = {2, 4712, "0.1.0"};
  report.moved = {{"idle", 3}, {"tunnel", 1}, {"upstream_idle", 5}};
  report.refused = {{"too large", 2}, {"unknown", 1}};
  report.taken_back = 9;
  report.left_behind = 4;
  report.pauses = {10, 20, 30, {0, 0, 0, 0, 1, 3}};
  report.duration_us = 12'500;
  status.last_upgrade = LastUpgrade{"completed", "", report, 1'700'000'000'002, {{"started", 0}, {"done", 13}}};
  status.upgrades.push_back({"rolled_back", "it died", {}, 1'600'000'000'000, {{"started", 0}, {"failed", 5}}});
  status.rollback = Rollback{"0.0.9", 2};
  status.crashes.total = 2;
  status.crashes.whole_total = 30;
  status.crashes.lost_total = 1;
  status.crashes.last = {4700, 11, 1'700'000'000'000'000, 20, 1, 9'000, {"TCP of 192.0.2.1:4000"}};
  return status;
}

TEST(Status, HoldsEveryKeyInOneLine) {
  EXPECT_EQ(
      to_json(with_upgrade()),
      R"({"generation":2,"pid":4712,"supervisor":4700,"keeper":4713,"version":"0.1.0","started_at_ms":1700000000000,)"
      R"("admin_token":true,"state":"draining","maintenance":false,)"
      R"("configuration":{"from":"api","at_ms":1700000000001},)"
      R"("listening":[{"listener":"web","address":"127.0.0.1:8080"},{"listener":"@admin","address":"unix:/a"}],)"
      R"("connections":{"idle":1,"head":2,"exchange":3,"tunnel":4,"closing":5,"total":15},"upstream_idle":6,)"
      R"("accepted_total":7,"requests_total":8,"rate_refusals_total":11,"connection_refusals_total":12,)"
      R"("access_refusals_total":13,)"
      R"("aborted_total":9,"last_upgrade":{"result":"completed","reason":"",)"
      R"("from_generation":1,"to_generation":2,"from_pid":4711,"to_pid":4712,"from_version":"0.0.9",)"
      R"("to_version":"0.1.0","duration_ms":13,"moved":{"idle":3,"tunnel":1},"moved_total":4,"upstream_idle_moved":5,)"
      R"("taken_back":9,"came_back":0,"refused":3,"refused_by_reason":{"too large":2,"unknown":1},"left_behind":4,)"
      R"("pause_us":{"p50":10,"p99":20,"max":30,"log2":[0,0,0,0,1,3]},)"
      R"("at_ms":1700000000002,"steps":[{"step":"started","ms":0},{"step":"done","ms":13}]},)"
      R"("upgrades":[{"result":"rolled_back","reason":"it died",)"
      R"("from_generation":0,"to_generation":0,"from_pid":0,"to_pid":0,"from_version":"",)"
      R"("to_version":"","duration_ms":0,"moved":{},"moved_total":0,"upstream_idle_moved":0,)"
      R"("taken_back":0,"came_back":0,"refused":0,"refused_by_reason":{},"left_behind":0,)"
      R"("pause_us":{"p50":0,"p99":0,"max":0,"log2":[]},)"
      R"("at_ms":1600000000000,"steps":[{"step":"started","ms":0},{"step":"failed","ms":5}]}],)"
      R"("crashes":{"total":2,"whole_total":30,"lost_total":1,"last":{"pid":4700,"signal":11,)"
      R"("at_us":1700000000000000,"whole":20,"lost":1,"stall_us":9000,)"
      R"("running":["TCP of 192.0.2.1:4000"]}},"certificates":[],"rollback":{"version":"0.0.9","unknown":2}})");
}

TEST(Status, SaysInWordsWhatDidNotMove) {
  handoff::Report report;
  report.from.pid = 4711;
  EXPECT_EQ(what_stayed(report), "");
  report.left_behind = 4;
  report.left_behind_ms = 1'500;
  EXPECT_EQ(what_stayed(report), "4 connections could not move and were left with PID 4711 for at most 2 s");
}

TEST(Status, WithoutAnUpgradeIsNull) {
  const json::object object = json::parse(to_json(Status{})).as_object();
  EXPECT_TRUE(object.at("last_upgrade").is_null());
  EXPECT_TRUE(object.at("supervisor").is_null());
  EXPECT_TRUE(object.at("keeper").is_null());
  EXPECT_EQ(object.at("state").as_string(), "serving");
}

TEST(Status, TextOfAnotherProcessIsAlwaysValidJson) {
  for (int byte = 0; byte < 256; ++byte) {
    Status status = with_upgrade();
    const std::string text = "a" + std::string(1, static_cast<char>(byte)) + "\"\\z";
    LastUpgrade& upgrade = *status.last_upgrade;
    status.version = upgrade.result = upgrade.reason = upgrade.report.to.version = text;
    upgrade.report.refused = {{text, 1}};
    upgrade.report.moved = {{text, 1}};
    const std::string written = to_json(status);
    EXPECT_EQ(written.find('\n'), std::string::npos);
    const json::object parsed = json::parse(written).as_object();  // refuses what is not UTF-8
    const std::string expected = byte < 0x80 ? text : "a\uFFFD\"\\z";
    EXPECT_EQ(parsed.at("last_upgrade").at("reason").as_string(), expected);
    EXPECT_EQ(parsed.at("last_upgrade").at("refused_by_reason").at(expected).to_number<int>(), 1);
  }
}

TEST(Status, ReasonsThatBecomeOneAreCountedTogether) {
  Status status = with_upgrade();
  status.last_upgrade->report.refused = {{"\xFE", 1}, {"\xFF", 2}};
  const json::value parsed = json::parse(to_json(status));
  EXPECT_EQ(parsed.at("last_upgrade").at("refused_by_reason").at("\uFFFD").to_number<int>(), 3);
}

TEST(Status, TheLargestNumbersSurvive) {
  Status status;
  status.accepted_total = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(json::parse(to_json(status)).at("accepted_total").as_uint64(), status.accepted_total);
}

}  // namespace
}  // namespace baton::admin
