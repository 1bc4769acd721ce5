// The admin interface on several addresses: commands over the Unix socket, numbers over TCP.
#include <signal.h>

#include <filesystem>

#include "ctl/ctl.hpp"
#include "harness/aftermath.hpp"
#include "harness/log_lines.hpp"
#include "supervise/supervised.hpp"
#include "takeover/taker.hpp"

namespace baton::harness {
namespace {

namespace fs = std::filesystem;

const Address& metrics_address() {
  static const Address address = loopback(free_port());
  return address;
}
void with_metrics(Settings& settings) {
  settings.more_admin = {metrics_address()};
}

int status_at(const Address& address) {
  return Client(address).get("/status").status();
}
int reload_at(const Address& address) {
  Client client(address);
  client.send("POST /reload HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  return client.response().status();
}

class AdminAddresses : public Ctl {
 protected:
  AdminAddresses() : Ctl(with_metrics) {}
  // The configuration with another list of admin addresses.
  void change_binds(const std::string& list) {
    std::string yaml = read_file(baton.config_path());
    const std::size_t begin = yaml.find("admin: { bind: ");
    yaml.replace(begin, yaml.find('\n', begin) - begin, "admin: { bind: " + list + " }");
    replace_file(baton.config_path(), yaml);
  }
  std::string quoted_path(const std::string& name) const { return "\"unix:" + baton.directory() / name + "\""; }
  static std::string quote(const Address& address) { return "\"" + address.text() + "\""; }
  void expect_both() const {
    EXPECT_EQ(status_at(admin()), 200);
    EXPECT_EQ(status_at(metrics_address()), 200);
  }
};

TEST_F(AdminAddresses, TakeCommandsOnTheUnixSocketOnly) {
  expect_both();
  EXPECT_EQ(Client(metrics_address()).get("/metrics").status(), 200);
  EXPECT_EQ(reload_at(metrics_address()), 403);
  EXPECT_EQ(reload_at(admin()), 200);
  expect_done(ctl({"reload"}), "done");
  expect_done(ctl({"status"}), "serving");
}

TEST_F(AdminAddresses, AreAllAsked) {
  fs::remove(admin().unix_path);
  expect_done(ctl({"status"}), "serving");
  expect_done(ctl({"healthcheck"}), "ok");
  expect_failure(ctl({"reload"}), "cannot reach the admin interface at " + admin().text());
}

TEST_F(AdminAddresses, MoveWithUpgradesAndBack) {
  Client kept(metrics_address());
  EXPECT_EQ(kept.get("/healthz").status(), 200);
  for (int generation = 2; generation <= 3; ++generation) {
    baton.upgrade();
    expect_both();
    EXPECT_EQ(baton.number("generation"), generation);
  }
  expect_done(ctl({"rollback"}), "completed");
  baton.finish_upgrade();
  expect_both();
  EXPECT_EQ(baton.count_log_lines(std::regex("cannot listen")), 0u);
  baton.signal(SIGTERM);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  EXPECT_FALSE(is_listening(metrics_address()));
  EXPECT_FALSE(fs::exists(admin().unix_path));
}

TEST_F(AdminAddresses, CannotBeChangedByAReload) {
  change_binds("[ " + quoted_path("admin.sock") + " ]");
  expect_failure(ctl({"reload"}), "a reload cannot change admin.bind");
  expect_both();
}

TEST_F(AdminAddresses, ComeAndGoWithAnUpgradeAndARollback) {
  const Address other = loopback(free_port());
  const std::string second = baton.directory() / "second.sock";
  change_binds("[ " + quote(other) + ", " + quoted_path("second.sock") + ", " + quoted_path("admin.sock") + " ]");
  baton.upgrade();
  EXPECT_EQ(status_at(admin()), 200);
  EXPECT_EQ(status_at(other), 200);
  EXPECT_EQ(status_at(unix_socket(second)), 200);
  EXPECT_FALSE(is_listening(metrics_address()));
  const Outcome back = run_baton({"ctl", "rollback", "--admin", admin().text()});
  EXPECT_EQ(back.code, 0) << back.out << back.err;
  baton.finish_upgrade();
  expect_both();
  EXPECT_FALSE(is_listening(other));
  EXPECT_FALSE(fs::exists(second)) << "whoever has the path no more removes it";
}

TEST_F(AdminAddresses, KeepThePathThatTheInstanceIsKnownBy) {
  change_binds("[ " + quoted_path("other.sock") + ", " + quote(metrics_address()) + " ]");
  const std::string line = baton.failed_upgrade();
  EXPECT_TRUE(contains(line, "an upgrade cannot change admin.bind")) << line;
  expect_both();
  EXPECT_FALSE(fs::exists(baton.directory() / "other.sock"));
}

TEST_F(AdminAddresses, OfAnUpgradeThatFailsAreLeftAlone) {
  const Address taken = origin.address();
  change_binds("[ " + quoted_path("admin.sock") + ", " + quoted_path("new.sock") + ", " + quote(taken) + " ]");
  const std::string line = baton.failed_upgrade();
  EXPECT_TRUE(contains(line, "cannot listen on " + taken.text())) << line;
  expect_both();
  EXPECT_FALSE(fs::exists(baton.directory() / "new.sock"));
}

TEST_F(AdminAddresses, ThatSomebodyRemovedComeBack) {
  fs::remove(admin().unix_path);
  baton.signal(SIGHUP);
  baton.await_log(log_lines::reload_done);
  expect_both();
}

TEST_F(AdminAddresses, AreTheTakersAfterATakeover) {
  Taker taker(baton);
  taker.await_succession(baton);
  expect_both();
  taker.signal(SIGTERM);
  EXPECT_EQ(taker.await_exit(), (Ended{0, 0}));
  EXPECT_FALSE(fs::exists(admin().unix_path));
}

TEST_F(AdminAddresses, AreNamedInTheStatus) {
  const std::string status = boost::json::serialize(baton.status().at("listening"));
  for (const Address& address : {admin(), metrics_address()}) {
    EXPECT_TRUE(contains(status, R"({"listener":"@admin","address":")" + address.text() + "\"}")) << status;
  }
  EXPECT_TRUE(contains(status, R"({"listener":"web","address":")" + baton.address().text() + "\"}")) << status;
}

// An older version has a single address and no lists.
class OldToNew : public Ctl {};

TEST_F(OldToNew, ASecondAddressIsAddedByAnUpgrade) {
  std::string yaml = read_file(baton.config_path());
  const std::string one = "\"unix:" + baton.directory() / "admin.sock" + "\"";
  ASSERT_NE(yaml.find(one), std::string::npos) << yaml;
  yaml.replace(yaml.find(one), one.size(), "[ \"" + metrics_address().text() + "\", " + one + " ]");
  replace_file(baton.config_path(), yaml);
  baton.upgrade();
  EXPECT_EQ(status_at(admin()), 200);
  EXPECT_EQ(status_at(metrics_address()), 200);
}

class SupervisedAdmin : public Supervised {
 protected:
  SupervisedAdmin() : Supervised(with_metrics) {}
};

TEST_F(SupervisedAdmin, KeepsItsAddressesThroughACrash) {
  await_known(worker());
  crash();
  EXPECT_EQ(status_at(metrics_address()), 200);
  upgrade();
  EXPECT_EQ(status_at(metrics_address()), 200);
  EXPECT_EQ(stop(), (Ended{0, 0}));
  expect_nothing_left();
}

TEST(PassedAdmin, SocketsOfAServiceManagerAreTakenAndTheirPathStays) {
  Origin origin;
  TempDir directory;
  Settings settings(origin.address());
  settings.binds = {loopback(free_port())};
  const Address path = unix_socket(directory / "passed.sock");
  const Address tcp = loopback(free_port());
  settings.more_admin = {path, tcp};
  settings.shell =
      "exec " + in_shell(LAUNCHER) + " --names a:b tcp:" + tcp.text() + " " + path.text() + " -- \"$0\" \"$@\"";
  Baton baton(settings);
  const auto expect_both = [&] {
    EXPECT_EQ(status_at(path), 200);
    EXPECT_EQ(status_at(tcp), 200);
  };
  expect_both();
  EXPECT_EQ(baton.count_log_lines(std::regex("passed by the service manager, and closed")), 0u) << baton.log();
  for (int i = 0; i < 2; ++i) {
    baton.upgrade();
    expect_both();
  }
  baton.signal(SIGTERM);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  EXPECT_TRUE(fs::exists(path.unix_path)) << "it is systemd's, which goes on listening there";
}

}  // namespace
}  // namespace baton::harness
