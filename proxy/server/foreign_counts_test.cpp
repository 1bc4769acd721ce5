#include "proxy/server/foreign_counts.hpp"

#include <gtest/gtest.h>

#include "proxy/metrics/ledger.hpp"
#include "proxy/server/upgrade_counts.hpp"

namespace baton::proxy {
namespace {

metrics::Totals now() {
  return metrics::Totals(metrics::ledger().read());
}

// The ledger of this process begins empty, so these are in one test.
TEST(ForeignCounts, AreCountedOnce) {
  state::InstanceRecord said;
  said.accepted_total = 100;
  said.requests_total = 50;
  said.rate_refusals_total = 3;
  said.connection_refusals_total = 2;
  said.access_refusals_total = 1;
  said.routes = {{.name = "r", .requests_total = 40, .failures_total = 4}};
  ForeignCounts counts;
  counts.count_before(said);
  counts.count_before(said);
  state::InstanceRecord record;
  describe_counts(now(), record);
  EXPECT_EQ(record.accepted_total, 100U);
  EXPECT_EQ(record.requests_total, 50U);
  EXPECT_EQ(record.rate_refusals_total, 3U);
  EXPECT_EQ(record.connection_refusals_total, 2U);
  EXPECT_EQ(record.access_refusals_total, 1U);
  EXPECT_EQ(metrics::requests_by_route(now()).at("r").all, 40U);
  EXPECT_EQ(metrics::requests_by_route(now()).at("r").failed, 4U);
  EXPECT_EQ(metrics::requests_by_route(now()).at("").all, 10U);

  // At the end of the upgrade it says what has come meanwhile.
  said.requests_total = 60;
  said.routes.front().requests_total = 45;
  counts.count_before(said);
  EXPECT_EQ(now().sum("requests_total"), 60U);

  // A successor of an earlier version gives the service back.
  state::InstanceRecord returned = said;
  returned.accepted_total = 101;
  returned.requests_total = 62;
  ForeignCounts::count_more(returned, said);
  EXPECT_EQ(now().sum("requests_total"), 62U);
  EXPECT_EQ(now().sum("connections_accepted_total"), 101U);
  returned.shares_ledger = true;
  ForeignCounts::count_more(returned, said);
  EXPECT_EQ(now().sum("requests_total"), 62U) << "it has counted in our ledger";
}

TEST(UpgradeCounts, SayHowUpgradesEnded) {
  handoff::Report report;
  report.to.pid = 7;
  report.moved = {{"idle", 3}, {"tunnel", 2}, {"upstream_idle", 9}};
  report.refused = {{"too large", 1}};
  report.taken_back = 4;
  report.pauses.by_log2 = std::vector<std::uint64_t>(30, 0);
  report.pauses.by_log2[0] = 1;
  report.pauses.by_log2[6] = 1;   // to 63 µs
  report.pauses.by_log2[7] = 2;   // to 127 µs
  report.pauses.by_log2[22] = 1;  // to 4.2 s
  report.pauses.by_log2[29] = 1;
  report.pauses.sum_us = 123;
  count_completed(report);
  const auto failed = [](const char* result, const handoff::Report& of, std::initializer_list<const char*> steps,
                         bool was_started = true) {
    admin::LastUpgrade upgrade{result, "", of};
    for (const char* const step : steps) upgrade.steps.push_back({step, 0});
    count_failed(upgrade, was_started);
  };
  failed("rolled_back", report, {"started", "ready", "moving", "failed"});
  handoff::Report early;
  failed("failed", early, {"started", "failed"}, false);
  failed("failed", early, {"started", "failed"});
  early.to.pid = 8;
  failed("failed", early, {"started", "failed"});
  failed("rolled_back", early, {"started", "ready", "probation", "failed"});
  const metrics::Totals totals = now();
  EXPECT_EQ(totals.value(R"(upgrades_total{result="completed"})"), 1U);
  EXPECT_EQ(totals.value(R"(upgrades_total{result="rolled_back"})"), 2U);
  EXPECT_EQ(totals.value(R"(upgrades_total{result="failed"})"), 3U);
  EXPECT_EQ(totals.value(R"(upgrade_failures_total{step="moving"})"), 1U);
  EXPECT_EQ(totals.value(R"(upgrade_failures_total{step="probation"})"), 1U);
  EXPECT_EQ(totals.value(R"(upgrade_failures_total{step="start"})"), 1U);
  EXPECT_EQ(totals.value(R"(upgrade_failures_total{step="hello"})"), 1U);
  EXPECT_EQ(totals.value(R"(upgrade_failures_total{step="ready"})"), 1U);
  EXPECT_EQ(totals.value(R"(handover_connections_total{state="idle"})"), 3U);
  EXPECT_EQ(totals.sum("handover_connections_total"), 5U) << "idle connections to servers are no clients";
  EXPECT_EQ(totals.value(R"(handover_refused_connections_total{reason="too large"})"), 1U);
  EXPECT_EQ(totals.value("handover_taken_back_connections_total"), 8U);
  totals.each("handover_pause_seconds", [](std::string_view, const metrics::Ledger::Numbers& numbers) {
    ASSERT_EQ(numbers.size(), 19U);
    EXPECT_EQ(numbers[0], 2U);
    EXPECT_EQ(numbers[1], 2U);
    EXPECT_EQ(numbers[16], 1U);
    EXPECT_EQ(numbers[17], 1U);
    EXPECT_EQ(numbers[18], 123U);
  });
}

}  // namespace
}  // namespace baton::proxy
