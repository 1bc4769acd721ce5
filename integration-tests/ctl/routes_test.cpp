// `baton ctl routes`: what each route has had, whichever process served it.
#include <boost/json.hpp>

#include "ctl/ctl.hpp"

namespace baton::harness {
namespace {

namespace json = boost::json;

class CtlRoutes : public Ctl {
 protected:
  CtlRoutes() : Ctl([](Settings& settings) { settings.workers = 2; }) {
    routes(
        "{ name: five, match: { path: /bytes/5 }, upstream: web }, { name: gone, match: { path: /gone }, "
        "respond: { status: 503 } }, { name: rest, upstream: web }");
  }

  void routes(const std::string& list) {
    replace_file(baton.config_path(), without_routes + "routes: [ " + list + " ]\n");
    expect_done(ctl({"reload"}), "done");
  }
  // The requests and failures of each route, in the order of the file.
  std::string counts() {
    const Outcome outcome = ctl({"routes", "--json"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const json::value parsed = json::parse(outcome.out);
    std::string text;
    for (const json::value& route : parsed.at("routes").as_array()) {
      text += std::string(route.at("name").as_string()) + " " +
              std::to_string(route.at("requests_total").to_number<unsigned>()) + " " +
              std::to_string(route.at("failures_total").to_number<unsigned>()) + ", ";
    }
    return text;
  }
  void get(int times, const std::string& target) {
    for (int i = 0; i < times; ++i) baton.connect().get(target);
  }

  const std::string without_routes = read_file(baton.config_path());
};

TEST_F(CtlRoutes, AreATable) {
  get(3, "/bytes/5");
  const Outcome outcome = ctl({"routes"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "           3         0  five (/bytes/5)")) << outcome.out;
  EXPECT_TRUE(contains(outcome.out, "respond 503")) << outcome.out;
  EXPECT_TRUE(contains(outcome.out, baton.config_path() + ":")) << outcome.out;
}

TEST_F(CtlRoutes, NameTheirFileAfterARollbackToo) {
  const std::string before = ctl({"routes"}).out;
  baton.upgrade();
  EXPECT_EQ(ctl({"rollback"}).code, 0) << baton.log();
  baton.follow_pid_file();
  EXPECT_EQ(ctl({"routes"}).out, before);
  EXPECT_TRUE(contains(before, baton.config_path() + ":")) << before;
}

TEST_F(CtlRoutes, CountRequestsAndFailures) {
  EXPECT_EQ(counts(), "five 0 0, gone 0 0, rest 0 0, ");
  get(4, "/bytes/5");
  get(2, "/gone");
  get(1, "/bytes/6");
  EXPECT_EQ(counts(), "five 4 0, gone 2 2, rest 1 0, ");
  EXPECT_EQ(counts(), "five 4 0, gone 2 2, rest 1 0, ") << "looking changes nothing";
}

TEST_F(CtlRoutes, KeepTheirCountsByNameThroughReloadsUpgradesAndRollbacks) {
  get(4, "/bytes/5");
  get(2, "/gone");
  routes("{ name: rest, upstream: web }, { name: five, match: { path: /bytes/5 }, upstream: web }");
  EXPECT_EQ(counts(), "rest 0 0, five 4 0, ");
  Client held = baton.connect();
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  get(1, "/bytes/5");
  baton.begin_upgrade();
  baton.await_log(std::regex("\\[g2 [0-9]+\\] listening on"));
  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
  baton.finish_upgrade();
  get(1, "/bytes/5");
  EXPECT_EQ(counts(), "rest 1 0, five 6 0, ") << "also what the predecessor counted at last";
  EXPECT_EQ(ctl({"rollback"}).code, 0) << baton.log();
  baton.follow_pid_file();
  get(1, "/bytes/5");
  EXPECT_EQ(counts(), "rest 1 0, five 7 0, ");
}

}  // namespace
}  // namespace baton::harness
