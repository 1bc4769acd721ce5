// A configuration that a client has applied is what a crashed worker's replacement has.
#include <signal.h>

#include "harness/log_lines.hpp"
#include "supervise/supervised.hpp"

namespace baton::harness {
namespace {

class SupervisedApplied : public Supervised {
 protected:
  explicit SupervisedApplied(void (*change)(Settings&) = [](Settings&) {}) : Supervised(change) {}

  void apply() {
    replace_file(baton.directory() / "applied.yaml", good + "limits: { uri_bytes: 1k }\n");
    const Outcome outcome = ctl({"apply", baton.directory() / "applied.yaml"});
    ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  }
  void expect_in_force() {
    EXPECT_FALSE(takes_a_long_uri());
    const auto configuration = baton.status().at("configuration").as_object();
    EXPECT_EQ(configuration.at("from").as_string(), "api");
    EXPECT_EQ(configuration.at("at_ms").as_int64(), applied_at);
  }
  bool takes_a_long_uri() { return baton.connect().get("/bytes/1?" + std::string(2000, 'x')).status() == 200; }

  const std::string good = read_file(baton.config_path());
  std::int64_t applied_at = 0;
};

class SupervisedAppliedWithoutKeeper : public SupervisedApplied {
 protected:
  SupervisedAppliedWithoutKeeper()
      : SupervisedApplied([](Settings& settings) { settings.handoff += ", survive: \"off\""; }) {}
};

TEST_F(SupervisedApplied, OutlivesCrashesAndUpgrades) {
  Client client = baton.connect();
  client.get("/bytes/1");
  EXPECT_TRUE(takes_a_long_uri());
  apply();
  applied_at = baton.number("configuration.at_ms");
  crash();
  expect_in_force();
  upgrade();
  expect_in_force();
  crash();
  expect_in_force();
  EXPECT_EQ(client.get("/bytes/5").body, pattern(5)) << "all on one connection";
  ::kill(parent, SIGHUP);
  baton.await_log(log_lines::reload_done);
  EXPECT_TRUE(takes_a_long_uri());
  crash();
  EXPECT_TRUE(takes_a_long_uri()) << "and that is what lasts then";
  EXPECT_EQ(baton.status().at("configuration").as_object().at("from").as_string(), "file");
}

TEST_F(SupervisedAppliedWithoutKeeper, OutlivesACrash) {
  apply();
  applied_at = baton.number("configuration.at_ms");
  crash();
  expect_in_force();
}

}  // namespace
}  // namespace baton::harness
