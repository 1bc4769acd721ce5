#include "demo/status.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace baton::demo {
namespace {

constexpr std::string_view whole = R"({"generation":2,"pid":123,"version":"0.1.0",
  "connections":{"idle":3,"head":1,"exchange":2,"tunnel":0,"closing":0,"total":6},
  "accepted_total":7,"requests_total":99,
  "last_upgrade":{"result":"completed","reason":"","from_pid":100,"to_pid":123,"duration_ms":41,
    "moved":{"idle":3,"head":1},"moved_total":4,"upstream_idle_moved":5,"taken_back":1,"refused":2,
    "refused_by_reason":{"too old":2},
    "pause_us":{"p50":10,"p99":20.5,"max":30},
    "canary":{"share":2E1,"verdict":"back","decided_by":"comparison","text":"4 clients failed","evidence":2.1E2,
      "canary":{"exchanges":168,"exposures":52,"clients_failed":4},
      "others":{"exchanges":552,"exposures":184,"clients_failed":1}}},
  "crashes":{"total":1,"whole_total":9,"lost_total":1,"last":{"pid":99,"signal":0,"stall_us":2500}}})";

TEST(Status, ReadsEveryKey) {
  const Status status = parse_status(whole);
  EXPECT_EQ(status.generation, 2u);
  EXPECT_EQ(status.pid, 123);
  EXPECT_EQ(status.version, "0.1.0");
  EXPECT_EQ(status.connections, 6u);
  EXPECT_EQ(status.accepted_total, 7u);
  EXPECT_EQ(status.requests_total, 99u);
  ASSERT_TRUE(status.last_upgrade);
  EXPECT_EQ(status.last_upgrade->result, "completed");
  EXPECT_EQ(status.last_upgrade->from_pid, 100);
  EXPECT_EQ(status.last_upgrade->to_pid, 123);
  EXPECT_EQ(status.last_upgrade->duration_ms, 41);
  EXPECT_EQ(status.last_upgrade->moved.at("head"), 1u);
  EXPECT_EQ(status.last_upgrade->moved_total, 4u);
  EXPECT_EQ(status.last_upgrade->taken_back, 1u);
  EXPECT_EQ(status.last_upgrade->refused, 2u);
  EXPECT_EQ(status.last_upgrade->refused_by_reason.at("too old"), 2u);
  EXPECT_EQ(status.last_upgrade->upstream_idle_moved, 5u);
  EXPECT_EQ(status.last_upgrade->pause_us.p99, 20.5);
  ASSERT_TRUE(status.last_upgrade->canary);
  const CanaryReport& canary = *status.last_upgrade->canary;
  EXPECT_EQ(canary.verdict, "back");
  EXPECT_EQ(canary.decided_by, "comparison");
  EXPECT_EQ(canary.text, "4 clients failed");
  EXPECT_EQ(canary.canary.exchanges, 168u);
  EXPECT_EQ(canary.canary.clients_failed, 4u);
  EXPECT_EQ(canary.others.exchanges, 552u);
  EXPECT_EQ(canary.others.clients_failed, 1u);
  EXPECT_EQ(status.crashes.total, 1u);
  EXPECT_EQ(status.crashes.pid, 99);
  EXPECT_EQ(status.crashes.stall_us, 2500);
}

TEST(Status, HasNoReportBeforeTheFirstUpgrade) {
  EXPECT_FALSE(parse_status(R"({"generation":1,"pid":1,"version":"","connections":{"total":0},"accepted_total":0,
    "requests_total":0,"last_upgrade":null,"crashes":{"total":0,"last":null}})")
                   .last_upgrade);
}

TEST(Status, HasNoCanaryWhereAllClientsMovedAtOnce) {
  std::string plain(whole);
  plain.replace(plain.find("\"canary\""), 8, "\"pigeon\"");
  EXPECT_FALSE(parse_status(plain).last_upgrade->canary);
}

TEST(Status, RefusesEveryTruncation) {
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    EXPECT_THROW(parse_status(whole.substr(0, bytes)), std::runtime_error);
  }
}

TEST(Status, NamesWhatIsMissing) {
  try {
    parse_status(R"({"generation":1,"version":"0.1.0"})");
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "/status has no number \"pid\"");
  }
}

}  // namespace
}  // namespace baton::demo
