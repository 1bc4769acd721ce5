// Prometheus' view of the metrics, whatever happened to the process before.
#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <sstream>

#include "ctl/ctl.hpp"
#include "harness/deadline.hpp"
#include "proxy/admin/testing/exposition.hpp"
#include "supervise/supervised.hpp"

namespace baton::harness {
namespace {

std::string metrics_of(const Baton& baton) {
  return Client(unix_socket(baton.directory() / "admin.sock")).get("/metrics").body;
}

bool has_promtool() {
  return run({{"/bin/sh", "-c", "command -v promtool"}}).code == 0;
}

void expect_accepted(const std::string& metrics) {
  EXPECT_THAT(admin::complaints_about(metrics), testing::IsEmpty()) << metrics;
  if (!has_promtool()) return;
  TempDir directory;
  replace_file(directory / "metrics", metrics);
  const Outcome outcome = run({{"/bin/sh", "-c", "promtool check metrics <\"$0\"", directory / "metrics"}});
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err << metrics;
  EXPECT_EQ(outcome.out + outcome.err, "");
}

class Metrics : public Ctl {};

TEST_F(Metrics, AreAcceptedBeforeDuringAndAfterAnUpgrade) {
  expect_accepted(metrics_of(baton));
  Client idle = baton.connect();
  idle.get("/bytes/1");
  Client held = baton.connect();
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  Process upgrade(ctl_command({"upgrade"}));
  upgrade.await_line(Process::Stream::out, std::regex("1 of 2 connections have left$"));
  expect_accepted(metrics_of(baton));
  origin.gate().open();
  EXPECT_EQ(upgrade.await_exit(), (Ended{0, 0}));
  baton.finish_upgrade();
  const std::string after = metrics_of(baton);
  EXPECT_TRUE(contains(after, "baton_last_upgrade_pause_seconds{statistic=\"max\"} ")) << after;
  expect_accepted(after);
}

TEST_F(Metrics, AreAcceptedAfterAnUpgradeThatFailed) {
  replace_file(baton.binary_path(), "#!/bin/sh\nexit 1\n", true);
  baton.failed_upgrade();
  const std::string after = metrics_of(baton);
  EXPECT_TRUE(contains(after, "baton_last_upgrade_success 0\n")) << after;
  expect_accepted(after);
}

class MetricsOfAWorker : public Supervised {};

TEST_F(MetricsOfAWorker, AreAcceptedAfterACrash) {
  upgrade();
  await_known(worker());
  crash();
  expect_accepted(metrics_of(baton));
}

// The sum of the family's series whose labels have all of these texts.
std::uint64_t sum_of(const std::string& metrics, const std::string& family, std::initializer_list<const char*> labels = {}) {
  std::uint64_t sum = 0;
  std::istringstream lines(metrics);
  for (std::string line; std::getline(lines, line);) {
    const bool is_its = line.starts_with(family + "{") || line.starts_with(family + " ");
    const auto has = [&](const char* label) { return line.find(label) != std::string::npos; };
    if (is_its && std::ranges::all_of(labels, has)) sum += std::stoull(line.substr(line.rfind(' ') + 1));
  }
  return sum;
}

TEST_F(MetricsOfAWorker, GoOnThroughUpgradesRollbacksAndCrashes) {
  std::uint64_t sent = 0;
  Client kept = baton.connect();
  const auto expect_all = [&](const char* when) {
    SCOPED_TRACE(when);
    kept.get("/bytes/1");
    baton.connect().get("/bytes/1");
    sent += 2;
    await([&] { return sum_of(metrics_of(baton), "baton_requests_total") >= sent; }, "all requests are counted");
    const std::string metrics = metrics_of(baton);
    EXPECT_EQ(sum_of(metrics, "baton_requests_total"), sent);
    EXPECT_EQ(sum_of(metrics, "baton_requests_total", {R"(route="*")", R"(code="2xx")", R"(tls="none")"}), sent);
    EXPECT_EQ(sum_of(metrics, "baton_requests_ended_total", {R"(ended="done")"}), sent);
    EXPECT_EQ(sum_of(metrics, "baton_request_duration_seconds_count"), sent);
    EXPECT_EQ(sum_of(metrics, "baton_response_body_bytes_total"), sent);
    EXPECT_EQ(sum_of(metrics, "baton_server_requests_total"), sent);
    EXPECT_EQ(sum_of(metrics, "baton_upstream_first_byte_duration_seconds_count"), sent);
    EXPECT_EQ(baton.number("requests_total"), static_cast<std::int64_t>(sent));
  };
  expect_all("first");
  upgrade();
  expect_all("after an upgrade");
  await_known(worker());
  crash();
  expect_all("after a crash");
  EXPECT_EQ(sum_of(metrics_of(baton), "baton_last_upgrade_success"), 1U) << "a crash is no upgrade";
  ASSERT_EQ(ctl({"rollback"}).code, 0);
  expect_all("after a rollback");
  install("/bin/false");
  ctl({"upgrade"});
  expect_all("after a failure");
  const std::string metrics = metrics_of(baton);
  EXPECT_EQ(sum_of(metrics, "baton_connections_accepted_total", {R"(listener="web")"}), 6U);
  EXPECT_EQ(sum_of(metrics, "baton_upgrades_total", {R"(result="completed")"}), 2U);
  EXPECT_EQ(sum_of(metrics, "baton_upgrades_total", {R"(result="failed")"}), 1U);
  EXPECT_EQ(sum_of(metrics, "baton_upgrade_failures_total", {R"(step="hello")"}), 1U);
  EXPECT_EQ(sum_of(metrics, "baton_handover_connections_total"), 2U);
  EXPECT_GE(sum_of(metrics, "baton_handover_pause_seconds_count"), 2U) << "idle connections to servers stand still, too";
  EXPECT_EQ(sum_of(metrics, "baton_crashes_total"), 1U);
}

TEST_F(Metrics, AResetIsCountedOnceAndForWhoeverMadeIt) {
  {
    Client client = baton.connect();
    client.get("/bytes/1");
    client.reset();
  }
  const auto resets = [&](const char* by) { return sum_of(metrics_of(baton), "baton_connection_resets_total", {by}); };
  await([&] { return resets(R"(by="client")") == 1; }, "the reset is counted");
  EXPECT_EQ(resets(R"(by="baton")"), 0U);
  EXPECT_EQ(sum_of(metrics_of(baton), "baton_upstream_resets_total"), 0U);
}

}  // namespace
}  // namespace baton::harness
