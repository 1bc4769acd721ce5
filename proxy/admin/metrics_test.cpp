#include "proxy/admin/metrics.hpp"

#include <gmock/gmock.h>

#include <limits>

#include "proxy/admin/testing/exposition.hpp"

namespace baton::admin {
namespace {

Status after_an_upgrade() {
  Status status;
  status.generation = 2;
  status.version = "0.1.0";
  status.started_at_us = 1'700'000'000'500'000;
  status.connections = {.idle = 1, .head = 2, .exchange = 3, .tunnel = 4, .closing = 5, .upstream_idle = 6};
  status.accepted_total = 7;
  status.requests_total = 8;
  status.fields_dropped = 9;
  status.rate_refusals_total = 11;
  status.connection_refusals_total = 12;
  status.access_refusals_total = 13;
  status.aborted_total = 10;
  status.connections_max = 9;
  handoff::Report report;
  report.moved = {{"idle", 3}, {"upstream_idle", 5}};
  report.refused = {{"too large", 2}};
  report.taken_back = 1;
  report.left_behind = 3;
  report.pauses = {1'000, 2'000, 3'000, {}};
  report.duration_us = 12'500;
  status.last_upgrade = LastUpgrade{"completed", "", report};
  status.keeper = 4713;
  status.crashes.total = 2;
  status.crashes.whole_total = 30;
  status.crashes.lost_total = 1;
  status.crashes.last.stall_us = 9'000;
  return status;
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Metrics, AreTheNumbersOfTheStatusInBaseUnits) {
  const std::string text = to_metrics(after_an_upgrade());
  for (const auto* line : {"baton_build_info{version=\"0.1.0\"} 1",
                           "baton_start_time_seconds 1700000000.5",
                           "baton_generation 2",
                           "baton_ready 1",
                           "baton_last_reload_success 1",
                           "baton_connections{state=\"idle\"} 1",
                           "baton_connections{state=\"closing\"} 5",
                           "baton_connections_max 9",
                           "baton_upstream_idle_connections 6",
                           "# TYPE baton_connections_accepted_total counter",
                           "baton_connections_accepted_total 7",
                           "baton_requests_total 8",
                           "baton_connections_aborted_total 10",
                           "baton_request_fields_dropped_total 9",
                           "baton_requests_refused_total{reason=\"rate\"} 11",
                           "baton_connections_refused_total{reason=\"connections_per_client\"} 12",
                           "baton_connections_refused_total{reason=\"access\"} 13",
                           "baton_keeper 1",
                           "baton_crashes_total 2",
                           "baton_crash_connections_total{state=\"whole\"} 30",
                           "baton_crash_connections_total{state=\"lost\"} 1",
                           "baton_last_crash_stall_seconds 0.009",
                           "baton_last_upgrade_success 1",
                           "baton_last_upgrade_duration_seconds 0.0125",
                           "baton_last_upgrade_moved_connections{state=\"idle\"} 3",
                           "baton_last_upgrade_refused_connections{reason=\"too large\"} 2",
                           "baton_last_upgrade_taken_back_connections 1",
                           "baton_last_upgrade_left_connections 3",
                           "baton_last_upgrade_pause_seconds{statistic=\"p99\"} 0.002"}) {
    EXPECT_TRUE(has_line(text, line)) << line << "\n" << text;
  }
  EXPECT_EQ(text.find("upstream_idle\""), std::string::npos) << "moved connections are clients";
}

TEST(Metrics, OfAFailureSaySo) {
  Status status = after_an_upgrade();
  status.ready = status.last_reload_ok = false;
  status.last_upgrade->result = "rolled_back";
  const std::string text = to_metrics(status);
  for (const auto* line : {"baton_ready 0", "baton_last_reload_success 0", "baton_last_upgrade_success 0"}) {
    EXPECT_TRUE(has_line(text, line)) << text;
  }
}

TEST(Metrics, AreWhatPrometheusAccepts) {
  EXPECT_THAT(complaints_about(to_metrics(Status{})), testing::IsEmpty());
  EXPECT_THAT(complaints_about(to_metrics(after_an_upgrade())), testing::IsEmpty());
}

TEST(Metrics, AreWellFormedWhateverTextStandsInALabel) {
  for (int byte = 0; byte < 256; ++byte) {
    Status status = after_an_upgrade();
    const std::string text = "a" + std::string(1, static_cast<char>(byte)) + "\"\\z";
    status.version = text;
    status.last_upgrade->report.refused = {{text, 1}};
    status.last_upgrade->report.moved = {{text, 1}};
    EXPECT_THAT(complaints_about(to_metrics(status)), testing::IsEmpty()) << byte;
  }
}

TEST(Exposition, IsComplainedAboutWhereItIsWrong) {
  const std::string good = "# HELP baton_a Text.\n# TYPE baton_a gauge\nbaton_a 1\n";
  EXPECT_THAT(complaints_about(good), testing::IsEmpty());
  for (const std::string& bad : std::initializer_list<std::string>
       {"baton_b 1\n", "baton_a 1\n", "baton_a{quantile=\"0.5\"} 1\n", "baton_a{le=\"1\"} 1\n", "baton_a{a=\"\\x\"} 1\n",
        "baton_a{a=\"1\",a=\"2\"} 1\n", "baton_a one\n", "\n", "baton_a{a=\"1\"} 1", "# HELP baton_a Again.\n",
        "# TYPE baton_c gauge\n", "# HELP baton_c T.\n# TYPE baton_c counter\n", "# HELP baton_c_total T.\n# TYPE baton_c_total gauge\n",
        "# HELP baton_c_ms T.\n# TYPE baton_c_ms gauge\n", "# HELP c T.\n# TYPE c gauge\n",
        "# HELP baton_s T.\n# TYPE baton_s summary\nbaton_s{quantile=\"1\"} 1\n"}) {
    EXPECT_THAT(complaints_about(good + bad), testing::SizeIs(testing::Ge(1))) << bad;
  }
}

TEST(Metrics, LabelsThatBecomeOneAreOneSeries) {
  Status status = after_an_upgrade();
  status.last_upgrade->report.refused = {{"\xFE", 1}, {"\xFF", 2}};
  EXPECT_TRUE(has_line(to_metrics(status), "baton_last_upgrade_refused_connections{reason=\"\uFFFD\"} 3"));
}

TEST(Metrics, TheLargestCounterIsExact) {
  Status status;
  status.requests_total = std::numeric_limits<std::uint64_t>::max();
  EXPECT_TRUE(has_line(to_metrics(status), "baton_requests_total 18446744073709551615"));
}

TEST(Metrics, EndWithALineEnd) {
  EXPECT_TRUE(to_metrics(Status{}).ends_with('\n'));
}

}  // namespace
}  // namespace baton::admin
