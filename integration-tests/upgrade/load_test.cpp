// Upgrades under full load by wrk, which does not report reconnects: so the accepted connections are counted too.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "harness/baton.hpp"
#include "harness/load_origin.hpp"
#include "harness/nginx.hpp"
#include "harness/process.hpp"

namespace baton::harness {
namespace {

constexpr const char* wrk = "/usr/bin/wrk";
constexpr int connections = 50;
constexpr int upgrades = 20;
// wrk tries the address once before it opens its connections.
constexpr int connections_before_the_load = 1;

// Loads until every upgrade is done; the interrupt makes wrk print its counts.
void expect_undisturbed_load(Baton& baton, const std::string& path) {
  if (::access(wrk, X_OK) != 0) GTEST_SKIP() << "wrk is not installed";
  Process load({{wrk, "-t2", "-c" + std::to_string(connections), "-d600s", "--latency",
                 "http://" + baton.address().text() + path}});
  baton.await_number("connections.total", connections);
  std::int64_t requests_before = 0;
  for (int i = 0; i < upgrades; ++i) {
    await([&] { return baton.number("requests_total") > requests_before + 100; }, "load between two upgrades");
    requests_before = baton.number("requests_total");
    const std::string report = baton.upgrade();
    EXPECT_NE(report.find("moved=" + std::to_string(connections) + " "), std::string::npos) << report;
    EXPECT_NE(report.find("taken_back=0, refused=0,"), std::string::npos) << report;
  }
  EXPECT_EQ(baton.number("connections.total"), connections);
  EXPECT_EQ(baton.number("accepted_total"), connections + connections_before_the_load) << "wrk has reconnected";
  load.signal(SIGINT);
  EXPECT_EQ(load.await_exit(), (Ended{0, 0}));
  load.await_end_of_output();
  EXPECT_EQ(load.out().find("Socket errors"), std::string::npos) << load.out() << baton.log();
  EXPECT_EQ(load.out().find("Non-2xx"), std::string::npos) << load.out() << baton.log();
  EXPECT_NE(load.out().find("requests in"), std::string::npos) << load.out();
}

TEST(UpgradeUnderLoad, WithAnswersByLength) {
  LoadOrigin origin("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + pattern(1000));
  Baton baton{Settings(origin.address())};
  expect_undisturbed_load(baton, "/");
}

TEST(UpgradeUnderLoad, WithAnswersInChunks) {
  LoadOrigin origin("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(pattern(600)) +
                    chunk(pattern(400)) + std::string(last_chunk));
  Baton baton{Settings(origin.address())};
  expect_undisturbed_load(baton, "/");
}

TEST(UpgradeUnderLoad, WithNginxAndSmallAnswers) {
  if (!Nginx::installed()) GTEST_SKIP() << "nginx is not installed";
  Nginx origin;
  Baton baton{Settings(origin.address())};
  expect_undisturbed_load(baton, "/small");
}

TEST(UpgradeUnderLoad, WithNginxAndLargeAnswers) {
  if (!Nginx::installed()) GTEST_SKIP() << "nginx is not installed";
  Nginx origin;
  Baton baton{Settings(origin.address())};
  expect_undisturbed_load(baton, "/large");
}

// A server in Go: another HTTP library, which ends idle connections and writes heads in its own way.
class Caddy {
 public:
  Caddy() {
    replace_file(directory_ / "Caddyfile",
                 "{\n  admin off\n  auto_https off\n  default_bind 127.0.0.1\n}\n:" + std::to_string(address_.port) +
                     " {\n  respond \"" + pattern(1000) + "\"\n}\n");
    process_ = std::make_unique<Process>(
        Command{{program, "run", "--adapter", "caddyfile", "--config", directory_ / "Caddyfile"},
                {"HOME=" + directory_.path(), "XDG_DATA_HOME=" + directory_.path()}});
    await([this] { return is_listening(address_); }, "Caddy to listen");
  }
  const Address& address() const { return address_; }
  static bool installed() { return ::access(program, X_OK) == 0; }

 private:
  static constexpr const char* program = "/usr/bin/caddy";
  TempDir directory_;
  Address address_ = loopback(free_port());
  std::unique_ptr<Process> process_;
};

TEST(UpgradeUnderLoad, WithCaddy) {
  if (!Caddy::installed()) GTEST_SKIP() << "caddy is not installed";
  const Caddy origin;
  Baton baton{Settings(origin.address())};
  expect_undisturbed_load(baton, "/");
}

}  // namespace
}  // namespace baton::harness
