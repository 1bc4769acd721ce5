// `baton ctl maintenance`: all but a few clients get a page, until it is switched off, whichever process serves.
#include "ctl/ctl.hpp"

namespace baton::harness {
namespace {

struct CtlMaintenance : Ctl {};

TEST_F(CtlMaintenance, AnswersUntilItIsSwitchedOff) {
  Client client = baton.connect();
  EXPECT_EQ(client.get("/bytes/5").body, pattern(5));
  expect_done(ctl({"maintenance", "on"}), "maintenance is on");
  EXPECT_EQ(client.get("/bytes/5").status(), 503) << "on the same connection";
  EXPECT_EQ(baton.connect().get("/bytes/5").status(), 503);
  EXPECT_TRUE(baton.status().at("maintenance").as_bool());
  EXPECT_EQ(baton.readyz(), 200) << "a load balancer must not take its page away";
  expect_done(ctl({"healthcheck"}), "ok");
  expect_done(ctl({"maintenance", "on", "--json"}), "\"result\":\"ok\"");
  expect_done(ctl({"maintenance", "off"}), "maintenance is off");
  EXPECT_EQ(client.get("/bytes/5").body, pattern(5));
  EXPECT_FALSE(baton.status().at("maintenance").as_bool());
}

TEST_F(CtlMaintenance, NeedsOnOrOff) {
  EXPECT_EQ(ctl({"maintenance"}).code, 2);
  EXPECT_EQ(ctl({"maintenance", "perhaps"}).code, 2);
  EXPECT_EQ(baton.connect().get("/bytes/5").body, pattern(5));
}

TEST_F(CtlMaintenance, HasThePageOfTheConfigurationOfNow) {
  const std::string plain = read_file(baton.config_path());
  const std::string page = baton.directory() / "soon.html";
  replace_file(page, "<p>soon");
  ctl({"maintenance", "on"});
  Client client = baton.connect();
  EXPECT_EQ(client.get("/bytes/5").body, "503 Service Unavailable\n");
  replace_file(baton.config_path(), plain + "maintenance: { file: " + page + ", status: 500, retry_after: 2m }\n");
  expect_done(ctl({"reload"}), "done");
  const Response response = client.get("/bytes/5");
  EXPECT_EQ(response.status(), 500);
  EXPECT_EQ(response.body, "<p>soon");
  EXPECT_EQ(response.field("Retry-After"), "120");
  replace_file(baton.config_path(), plain + "maintenance: { allow: 127.0.0.1 }\n");
  expect_done(ctl({"reload"}), "done");
  EXPECT_EQ(client.get("/bytes/5").body, pattern(5));
}

TEST_F(CtlMaintenance, OutlivesUpgradesAndRollbacks) {
  ctl({"maintenance", "on"});
  baton.upgrade();
  EXPECT_EQ(baton.connect().get("/bytes/5").status(), 503);
  EXPECT_EQ(ctl({"rollback"}).code, 0) << baton.log();
  baton.follow_pid_file();
  EXPECT_EQ(baton.connect().get("/bytes/5").status(), 503);
  ctl({"maintenance", "off"});
  EXPECT_EQ(baton.connect().get("/bytes/5").body, pattern(5));
}

TEST_F(CtlMaintenance, InTheMiddleOfAnUpgradeIsTheSuccessorsToo) {
  Client client = baton.connect();
  client.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.begin_upgrade();
  baton.await_log(std::regex("\\[g2 [0-9]+\\] listening on"));
  expect_done(ctl({"maintenance", "on"}), "maintenance is on");
  origin.gate().open();
  baton.finish_upgrade();
  EXPECT_EQ(client.response().body, "held") << "what was sent ends as it began";
  EXPECT_EQ(client.get("/bytes/5").status(), 503);
}

}  // namespace
}  // namespace baton::harness
