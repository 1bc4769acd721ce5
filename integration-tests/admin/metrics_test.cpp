// Prometheus' view of the metrics, whatever happened to the process before.
#include <gmock/gmock.h>
#include <signal.h>

#include "ctl/ctl.hpp"
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

}  // namespace
}  // namespace baton::harness
