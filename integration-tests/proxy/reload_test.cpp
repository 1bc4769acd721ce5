// SIGHUP: the configuration on disk takes effect as a whole or not at all, and no connection notices.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

class Reload : public testing::Test {
 protected:
  void add(const std::string& yaml) { replace_file(baton.config_path(), good + yaml); }
  void replace(const std::string& what, const std::string& by) {
    std::string yaml = good;
    yaml.replace(yaml.find(what), what.size(), by);
    replace_file(baton.config_path(), yaml);
  }
  void expect_done() {
    baton.signal(SIGHUP);
    baton.await_log(log_lines::reload_done);
    EXPECT_EQ(answers(), 1u) << baton.log();
  }
  // Returns the line that says why.
  std::string expect_failure() {
    baton.signal(SIGHUP);
    const std::string line = baton.await_log(log_lines::reload_failed);
    EXPECT_EQ(answers(), 1u) << baton.log();
    EXPECT_EQ(baton.connect().get("/bytes/2").body, pattern(2));
    return line;
  }
  std::size_t answers() const {
    return baton.count_log_lines(log_lines::reload_done) + baton.count_log_lines(log_lines::reload_failed);
  }

  Origin origin;
  Baton baton{Settings(origin.address())};
  const std::string good = read_file(baton.config_path());
  Client client = baton.connect();
};

TEST_F(Reload, OfTheSameFileChangesNothing) {
  client.get("/bytes/1");
  const pid_t before = baton.pid();
  expect_done();
  EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
  EXPECT_EQ(origin.accepted(), 1u) << "pooled connections are kept too";
  EXPECT_EQ(baton.number("generation"), 1);
  EXPECT_EQ(baton.number("accepted_total"), 1);
  EXPECT_EQ(baton.pid_in_file(), before);
}

TEST_F(Reload, TakesNewLimitsForTheConnectionsThatAreThere) {
  client.get("/bytes/1");
  add("limits: { requests_per_connection: 2 }\n");
  expect_done();
  EXPECT_EQ(client.get("/bytes/2").field("Connection"), "close");
}

TEST_F(Reload, TakesOtherServersFromTheNextRequestOn) {
  Origin other;
  client.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  replace(origin.address().text(), other.address().text());
  expect_done();
  origin.gate().open();
  EXPECT_EQ(client.response().body, "held");
  EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
  EXPECT_EQ(other.requests().size(), 1u);
}

TEST_F(Reload, MovesAListenerToAnotherAddress) {
  const Address elsewhere = loopback(free_port());
  client.get("/bytes/1");
  replace(baton.address().text(), elsewhere.text());
  expect_done();
  EXPECT_EQ(Client(elsewhere).get("/bytes/2").body, pattern(2));
  await([this] { return !is_listening(baton.address()); }, "the old address to be closed");
  EXPECT_EQ(client.get("/bytes/3").body, pattern(3)) << "what was accepted there goes on";
}

TEST_F(Reload, OfABadFileNamesThePlaceAndKeepsTheOldOne) {
  add("no_such_key: 1\n");
  EXPECT_NE((expect_failure() + baton.log()).find(baton.config_path() + ":"), std::string::npos) << baton.log();
}

TEST_F(Reload, OfAMissingFileKeepsTheOldOne) {
  std::filesystem::remove(baton.config_path());
  expect_failure();
}

TEST_F(Reload, WithAnAddressThatIsTakenKeepsTheOldOne) {
  replace(baton.address().text(), origin.address().text());
  EXPECT_NE(expect_failure().find(origin.address().text()), std::string::npos) << baton.log();
}

TEST_F(Reload, SaysWhatOnlyAnUpgradeCanChange) {
  replace("workers: 2", "workers: 3");
  EXPECT_NE(expect_failure().find("workers"), std::string::npos) << baton.log();
}

TEST_F(Reload, IsWhatTheNextUpgradeGoesOnWith) {
  client.get("/bytes/1");
  add("limits: { requests_per_connection: 3 }\n");
  expect_done();
  baton.upgrade();
  EXPECT_FALSE(client.get("/bytes/2").field("Connection"));
  EXPECT_EQ(client.get("/bytes/2").field("Connection"), "close");
}

}  // namespace
}  // namespace baton::harness
