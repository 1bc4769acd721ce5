#include "proxy/admin/metrics.hpp"

#include <gmock/gmock.h>

#include <limits>

#include "proxy/admin/testing/exposition.hpp"

namespace baton::admin {
namespace {

std::string to_metrics(const Status& status, metrics::Format format = metrics::Format::prometheus) {
  const process::Usage usage{
      .cpu_s = 1.5, .resident_bytes = 1, .virtual_bytes = 2, .open_descriptors = 3, .descriptors_max = 4, .threads = 5};
  return admin::to_metrics(status, usage, format);
}

Status after_an_upgrade() {
  Status status;
  status.generation = 2;
  status.version = "0.1.0";
  status.started_at_us = 1'700'000'000'500'000;
  status.connections = {.idle = 1, .head = 2, .exchange = 3, .tunnel = 4, .closing = 5, .upstream_idle = 6};
  status.open = {{.listener = "web", .protocol = "http/2", .tls = "1.3", .connections = 2, .exchanges = 30},
                 {.listener = "web", .protocol = "http/2", .tls = "none", .connections = 1, .exchanges = 2}};
  status.listeners = {"web"};
  status.routes = {{.name = "r\"1"}};
  status.upstreams = {"app"};
  status.servers = {{.upstream = "app", .address = "10.0.0.1:80", .state = "ejected", .in_flight = 3}};
  status.queues = {{.upstream = "app", .waiting = 4}};
  status.totals = metrics::Totals(
      {{R"(connections_accepted_total{listener="web"})", {7}},
       {R"(connections_accepted_total{listener="gone"})", {70}},
       {R"(requests_total{listener="web",route="r\"1",protocol="http/1",tls="none",code="2xx"})", {8}},
       {R"(requests_total{listener="web",route="gone",protocol="http/1",tls="none",code="2xx"})", {80}},
       {R"(requests_ended_total{route="r\"1",ended="rate"})", {5}},
       {R"(requests_ended_total{route="gone",ended="rate"})", {6}},
       {R"(request_duration_seconds{route="r\"1"})", {1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 200'003}},
       {R"(server_requests_total{upstream="app",server="10.0.0.1:80"})", {9}},
       {R"(server_requests_total{upstream="gone",server="10.0.0.1:80"})", {90}},
       {R"(server_requests_total{upstream="app",server="10.0.0.2:80"})", {91}},
       {"connections_aborted_total", {10}},
       {R"(a_family_of_another_version{x="1"})", {1}}});
  status.connections_max = 9;
  handoff::Report report;
  report.moved = {{"idle", 3}, {"upstream_idle", 5}};
  report.refused = {{"too large", 2}};
  report.taken_back = 1;
  report.left_behind = 3;
  report.pauses = {1'000, 2'000, 3'000, {}, 0};
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
  for (const auto* line :
       {"baton_build_info{version=\"0.1.0\"} 1",
        "process_start_time_seconds 1700000000.5",
        "process_cpu_seconds_total 1.5",
        "process_open_fds 3",
        "baton_generation 2",
        "baton_ready 1",
        "baton_last_reload_success 1",
        "baton_connections{state=\"idle\"} 1",
        "baton_connections{state=\"closing\"} 5",
        "baton_connections_max 9",
        "baton_upstream_idle_connections 6",
        "# TYPE baton_connections_accepted_total counter",
        R"(baton_connections_accepted_total{listener="web"} 7)",
        R"(baton_requests_total{listener="web",route="r\"1",protocol="http/1",tls="none",code="2xx"} 8)",
        R"(baton_requests_refused_total{reason="rate"} 11)",
        R"(baton_request_duration_seconds_bucket{route="r\"1",le="0.002"} 2)",
        R"(baton_request_duration_seconds_sum{route="r\"1"} 200.003000)",
        "baton_connections_aborted_total 10",
        R"(baton_open_connections{listener="web",protocol="http/2",tls="1.3"} 2)",
        R"(baton_requests_in_flight{listener="web",protocol="http/2"} 32)",
        R"(baton_server_requests_total{upstream="app",server="10.0.0.1:80"} 9)",
        R"(baton_server_up{upstream="app",server="10.0.0.1:80"} 0)",
        R"(baton_server_state{upstream="app",server="10.0.0.1:80",state="ejected"} 1)",
        R"(baton_upstream_queue_length{upstream="app"} 4)",
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
  EXPECT_EQ(text.find("gone"), std::string::npos) << "the configuration does not have it";
  EXPECT_EQ(text.find("10.0.0.2"), std::string::npos);
  EXPECT_EQ(text.find("another_version"), std::string::npos);
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

TEST(Metrics, AreOpenMetricsOnRequest) {
  const std::string text = to_metrics(after_an_upgrade(), metrics::Format::openmetrics);
  EXPECT_TRUE(has_line(text, "# TYPE baton_requests counter")) << text;
  EXPECT_TRUE(has_line(text, "# TYPE baton_build info"));
  EXPECT_TRUE(text.ends_with("# EOF\n"));
}

TEST(Metrics, LabelsThatBecomeOneAreOneSeries) {
  Status status = after_an_upgrade();
  status.last_upgrade->report.refused = {{"\xFE", 1}, {"\xFF", 2}};
  EXPECT_TRUE(has_line(to_metrics(status), "baton_last_upgrade_refused_connections{reason=\"\uFFFD\"} 3"));
}

TEST(Metrics, TheLargestCounterIsExact) {
  Status status;
  status.totals = metrics::Totals({{"requests_total", {std::numeric_limits<std::uint64_t>::max()}}});
  EXPECT_TRUE(has_line(to_metrics(status), "baton_requests_total 18446744073709551615"));
}

TEST(Metrics, EndWithALineEnd) {
  EXPECT_TRUE(to_metrics(Status{}).ends_with('\n'));
}

}  // namespace
}  // namespace baton::admin
