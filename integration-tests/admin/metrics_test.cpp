// Prometheus' view of the metrics, whatever happened to the process before.
#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <sstream>

#include "ctl/ctl.hpp"
#include "harness/certificates.hpp"
#include "harness/deadline.hpp"
#include "harness/tls_client.hpp"
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

TEST_F(Metrics, AServerThatResetsIsNamedAsTheCause) {
  Client client = baton.connect();
  client.send(get_request("/reset/1000"));
  origin.gate().await_arrivals(1);
  origin.gate().open();
  std::string received;
  EXPECT_EQ(client.read_to_end(received), End::reset);
  await([&] { return sum_of(metrics_of(baton), "baton_upstream_resets_total", {R"(upstream="web")"}) == 1; },
        "it is counted");
  await([&] { return sum_of(metrics_of(baton), "baton_connection_resets_total") == 1; }, "so is the client's reset");
  EXPECT_EQ(sum_of(metrics_of(baton), "baton_connection_resets_total", {R"(by="baton",cause="server_gone")"}), 1U);
}

TEST_F(Metrics, HaveTheErrorsOfHttp2) {
  Client client = baton.connect();
  client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string("\0\0\x08\6\0\0\0\0\1", 9) + std::string(8, '\0'));
  const auto errors = [&] {
    return sum_of(metrics_of(baton), "baton_http2_connection_errors_total",
                  {R"(listener="web",error="protocol_error")"});
  };
  await([&] { return errors() == 1; }, "the error is counted");
}

// A step that could not even begin.
TEST_F(Metrics, SayThatAProgramCouldNotBeStarted) {
  replace_file(baton.binary_path(), "not a program", true);
  EXPECT_EQ(ctl({"upgrade"}).code, 1);
  EXPECT_EQ(sum_of(metrics_of(baton), "baton_upgrade_failures_total", {R"(step="start")"}), 1U);
  EXPECT_EQ(sum_of(metrics_of(baton), "baton_upgrade_failures_total"), 1U);
}

TEST(MetricsOfTls, CountHandshakesAndWhyTheyFail) {
  Origin origin;
  TempDir directory;
  Authority authority(directory);
  Settings settings(origin.address());
  settings.tls = "certificates: [ " + authority.issue({"localhost"}).yaml() + " ]";
  Baton baton(settings);
  {
    TlsClient(baton.address()).get("/bytes/1");
  }
  await([&] { return sum_of(metrics_of(baton), "baton_requests_total", {R"(tls="1.3")"}) == 1; },
        "the request is counted");
  EXPECT_EQ(
      sum_of(metrics_of(baton), "baton_tls_handshakes_total", {R"(listener="web",version="1.3",resumed="false")"}), 1U);

  const auto failures = [&](const char* reason) {
    return sum_of(metrics_of(baton), "baton_tls_failures_total", {reason});
  };
  const auto shake = [&](const std::string& options) {
    run({{"/bin/sh", "-c", "openssl s_client -connect " + baton.address().text() + " " + options + " </dev/null"}});
  };
  Client(baton.address()).send(get_request("/"));
  await([&] { return failures(R"(reason="protocol")") == 1; }, "plain HTTP is counted");
  {
    Client gone(baton.address());
  }
  await([&] { return failures(R"(reason="closed")") >= 1; }, "who leaves is counted");
  shake("-tls1_2 -cipher AES128-SHA@SECLEVEL=0");
  await([&] { return failures(R"(reason="refused")") == 1; }, "a cipher that we do not have is counted");
  shake("-tls1_2 -verify_return_error");
  await([&] { return failures(R"(reason="alert")") == 1; }, "a client that does not trust us is counted");
}

TEST(MetricsOfServers, CountChecksFailuresRetriesAndEjections) {
  Origin origin;
  Settings settings;
  settings.binds = {loopback(free_port())};
  const std::string servers = "    servers: [ { address: \"" + loopback(free_port()).text() + "\" }, { address: \"" +
                              origin.address().text() + "\" } ]\n";
  settings.topology = "listeners: [ { name: web, bind: \"" + settings.binds.front().text() +
                      "\" } ]\nroutes: [ { upstream: web } ]\nupstreams:\n"
                      "  - name: web\n    health: { passive: { failures: 1, eject: 1h } }\n" +
                      servers +
                      "  - name: checked\n    health: { active: { type: tcp, every: 100ms, timeout: 5s } }\n" + servers;
  Baton baton(settings);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(baton.connect().get("/bytes/3").body, pattern(3));
  const auto count = [&](const char* family, std::initializer_list<const char*> labels) {
    return sum_of(metrics_of(baton), family, labels);
  };
  const char* const web = R"(upstream="web")";
  await([&] { return count("baton_server_failures_total", {web}) == 1; }, "the failure is counted");
  EXPECT_EQ(count("baton_upstream_connect_failures_total", {web, R"(reason="connect")"}), 1U);
  EXPECT_EQ(count("baton_upstream_retries_total", {web}), 1U);
  EXPECT_EQ(count("baton_server_ejections_total", {web}), 1U);
  EXPECT_EQ(count("baton_server_state", {web, R"(state="ejected")"}), 1U);
  EXPECT_EQ(count("baton_server_up", {web}), 1U);
  const char* const checked = R"(upstream="checked")";
  const auto checks = [&](const char* result) { return count("baton_server_health_checks_total", {checked, result}); };
  await([&] { return checks(R"(result="passed")") != 0 && checks(R"(result="failed")") != 0; }, "both are checked");
  await([&] { return count("baton_server_state", {checked, R"(state="down")"}) == 1; }, "one is down");
}

}  // namespace
}  // namespace baton::harness
