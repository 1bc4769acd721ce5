// `resolve`: the names of servers are looked up again, with a real name server whose answers change.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/name_server.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

using testing::HasSubstr;
using testing::Not;

class Names : public testing::Test {
 protected:
  void SetUp() override {
    if (!NameServer::installed()) GTEST_SKIP() << "dnsmasq is not installed";
    for (Origin* origin : {&one, &two}) {
      const std::string name = origin == &one ? "one" : "two";
      origin->on("/who", [name](Exchange& exchange) { exchange.respond(name); });
      origin->on("/late", [name](Exchange& exchange) {
        exchange.origin.gate().pass();
        exchange.respond(name);
      });
    }
  }

  Settings settings(const std::string& address, const NameServer& names, const std::string& more = "every: 1s") const {
    Settings settings;
    settings.binds = {web};
    settings.topology = "listeners: [ { name: web, bind: \"" + web.text() +
                        "\" } ]\n"
                        "upstreams:\n"
                        "  - name: web\n"
                        "    servers: [ { address: \"" +
                        address + "\" } ]\n" + "    resolve: { nameservers: \"" + names.address().text() + "\", " +
                        more + " }\n";
    return settings;
  }
  std::string app() const { return "app.test:" + std::to_string(one.address().port); }

  // The servers that ten requests in a row go to.
  static std::set<std::string> asked(const Baton& baton) {
    Client client = baton.connect();
    std::set<std::string> names;
    for (int i = 0; i < 10; ++i) names.insert(client.get("/who").body);
    return names;
  }

  const Address web = loopback(free_port());
  Origin one;
  Origin two{{"127.0.0.2", one.address().port, {}}};
};

using Set = std::set<std::string>;

TEST_F(Names, AServerFollowsItsNameWithoutAReload) {
  NameServer names({"127.0.0.1 app.test"});
  Baton baton(settings(app(), names));
  EXPECT_EQ(asked(baton), Set{"one"});
  names.say({"127.0.0.1 app.test", "127.0.0.2 app.test"});
  baton.await_log(std::regex("app.test:.* is now at 127.0.0.1:.*, 127.0.0.2:"));
  EXPECT_EQ(asked(baton), (Set{"one", "two"}));
  names.say({"127.0.0.2 app.test"});
  baton.await_log(std::regex("app.test:.* is now at 127.0.0.2:"));
  EXPECT_EQ(asked(baton), Set{"two"});
  EXPECT_EQ(baton.count_log_lines(log_lines::reload_done), 0u);
}

TEST_F(Names, ServersThatStayKeepTheirConnectionsAndTheOthersFinishWhatTheyBegan) {
  NameServer names({"127.0.0.1 app.test", "127.0.0.2 app.test"});
  Settings with_one_worker = settings(app(), names);
  with_one_worker.workers = 1;
  Baton baton(with_one_worker);
  EXPECT_EQ(asked(baton), (Set{"one", "two"}));
  const std::size_t to_two = two.accepted();
  Client first = baton.connect(), second = baton.connect();
  first.send(get_request("/late"));
  second.send(get_request("/late"));
  one.gate().await_arrivals(1);
  two.gate().await_arrivals(1);
  names.say({"127.0.0.2 app.test"});
  baton.await_log(std::regex("is now at 127.0.0.2:"));
  one.gate().open();
  two.gate().open();
  EXPECT_EQ((Set{first.response().body, second.response().body}), (Set{"one", "two"}));
  EXPECT_EQ(asked(baton), Set{"two"});
  EXPECT_EQ(two.accepted(), to_two) << "its idle connections were kept";
  one.await_open_connections(0);
}

TEST_F(Names, AnOrderLastsWhileItsServerIsMissingFromTheAnswers) {
  const std::vector<std::string> both = {"127.0.0.1 app.test", "127.0.0.2 app.test"};
  NameServer names(both);
  Baton baton(settings(app(), names));
  EXPECT_EQ(run_baton({"ctl", "server", "web/" + one.address().text(), "down", "-c", baton.config_path()}).code, 0);
  EXPECT_EQ(asked(baton), Set{"two"});
  for (const bool with_upgrade : {false, true}) {
    names.say({"127.0.0.2 app.test"});
    baton.await_log(std::regex("is now at 127.0.0.2:[0-9]+;"));
    if (with_upgrade) baton.upgrade();
    names.say(both);
    baton.await_log(std::regex("is now at 127.0.0.1:[0-9]+, 127.0.0.2:"));
    EXPECT_EQ(asked(baton), Set{"two"});
  }
}

TEST_F(Names, AFailureChangesNothingAndIsToldOnce) {
  NameServer names({"127.0.0.1 app.test"});
  Baton baton(settings(app(), names));
  names.say({});
  baton.await_log(std::regex("app.test:.* cannot be looked up: .*; its 1 addresses stay in use"));
  EXPECT_EQ(asked(baton), Set{"one"});
  names.stop();
  names.start();
  names.say({"127.0.0.2 app.test"});
  baton.await_log(std::regex("app.test:.* can be looked up again"));
  baton.await_log(std::regex("is now at 127.0.0.2:"));
  EXPECT_EQ(baton.count_log_lines(std::regex("cannot be looked up")), 1u) << baton.log();
}

TEST_F(Names, ASuccessorStartsAlthoughItsNameServerFails) {
  NameServer names({"127.0.0.1 app.test"});
  Baton baton(settings(app(), names));
  names.say({"127.0.0.2 app.test"});
  baton.await_log(std::regex("is now at 127.0.0.2:"));
  names.stop();
  baton.upgrade();
  EXPECT_EQ(asked(baton), Set{"two"}) << "it has the addresses that its predecessor last knew";
  baton.upgrade();
  EXPECT_EQ(asked(baton), Set{"two"});
  names.say({"127.0.0.1 app.test"}, {});
  baton.await_log(std::regex("is now at 127.0.0.1:"));
  EXPECT_EQ(asked(baton), Set{"one"}) << "the successor asks again";
}

TEST_F(Names, AReloadKeepsWhatIsKnownAndRefusesWhatCannotBeFound) {
  NameServer names({"127.0.0.1 app.test"});
  Baton baton(settings(app(), names));
  names.stop();
  baton.reload(settings(app(), names, "every: 2s"));
  EXPECT_EQ(asked(baton), Set{"one"});
  names.start();
  replace_file(baton.config_path(), to_yaml(settings("other.test:80", names), baton.directory()));
  baton.signal(SIGHUP);
  EXPECT_THAT(baton.await_log(log_lines::reload_failed), HasSubstr("cannot look up other.test:80: "));
  EXPECT_EQ(asked(baton), Set{"one"});
  EXPECT_THAT(baton.failed_upgrade(), HasSubstr("cannot look up other.test:80: "));
  const Outcome check = run_baton({"check", "-c", baton.config_path()});
  EXPECT_THAT(check.out + check.err, HasSubstr("`address`: `other.test:80` cannot be looked up: "));
  EXPECT_EQ(asked(baton), Set{"one"});
}

TEST_F(Names, SrvRecordsSayAddressAndPort) {
  const std::string port = std::to_string(one.address().port);
  NameServer names({"127.0.0.1 one.test", "127.0.0.2 two.test"}, {"_http._tcp.app.test,one.test," + port + ",1,1"});
  Baton baton(settings("srv:_http._tcp.app.test", names));
  EXPECT_EQ(asked(baton), Set{"one"});
  names.say({"127.0.0.1 one.test", "127.0.0.2 two.test"}, {"_http._tcp.app.test,two.test," + port + ",1,1"});
  baton.await_log(std::regex("srv:_http._tcp.app.test is now at 127.0.0.2:"));
  EXPECT_EQ(asked(baton), Set{"two"});
}

// Requests go on while the answers change and the process is replaced; not one of them fails.
TEST_F(Names, AnswersThatChangeUnderLoadCostNoRequest) {
  NameServer names({"127.0.0.1 app.test"});
  Baton baton(settings(app(), names));
  std::atomic<bool> is_over = false;
  std::atomic<int> served = 0, failed = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      Client client(web);
      while (!is_over) ++(client.get("/who").status() == 200 ? served : failed);
    });
  }
  for (int round = 0; round < 6; ++round) {
    const std::string next = round % 2 == 0 ? "127.0.0.2" : "127.0.0.1";
    names.say({next + " app.test"});
    baton.await_log(std::regex("is now at " + next + ":"));
    if (round % 2 == 1) baton.upgrade();
  }
  is_over = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(failed, 0);
  EXPECT_GT(served, 0);
}

}  // namespace
}  // namespace baton::harness
