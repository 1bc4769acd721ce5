// `health`: servers that fail get no requests, all processes of an instance know it, and one client cannot make others
// believe it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <set>

#include "harness/baton.hpp"
#include "harness/fd.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

using Set = std::set<std::string>;

// Two servers; the number of workers.
class Health : public testing::TestWithParam<unsigned> {
 protected:
  void SetUp() override {
    for (Origin* origin : {&one, &two}) {
      const bool is_one = origin == &one;
      std::atomic<bool>& is_well = is_one ? one_is_well : two_is_well;
      origin->on("/who", [is_one](Exchange& exchange) { exchange.respond(is_one ? "one" : "two"); });
      origin->on("/healthz", [&is_well](Exchange& exchange) {
        exchange.respond("", is_well ? "200 OK" : "503 Busy");
        exchange.close = true;
      });
      // Fails for clients that say so.
      origin->on("/fails", [is_one](Exchange& exchange) {
        if (is_one) {
          exchange.close = true;
        } else {
          exchange.respond("two");
        }
      });
    }
  }

  Settings settings(const std::string& health) const {
    Settings settings;
    settings.workers = GetParam();
    settings.binds = {web};
    settings.topology = "listeners: [ { name: web, bind: \"" + web.text() +
                        "\" } ]\n"
                        "upstreams:\n"
                        "  - name: web\n"
                        "    servers: [ { address: \"" +
                        one.address().text() + "\" }, { address: \"" + two.address().text() +
                        "\" } ]\n    health: " + health + "\n";
    return settings;
  }
  static std::string active(const std::string& more = "") {
    return "{ active: { path: /healthz, every: 100ms, timeout: 30s, up: 2, down: 2" + more + " } }";
  }

  // The servers that requests of several clients go to.
  static Set asked(const Baton& baton) {
    Set names;
    for (int i = 0; i < 4; ++i) {
      Client client = baton.connect();
      for (int j = 0; j < 5; ++j) names.insert(client.get("/who").body);
    }
    return names;
  }
  std::regex says(const Origin& origin, const std::string& what) const {
    return std::regex("upstream web: server " + origin.address().text() + " is " + what);
  }

  std::atomic<bool> one_is_well = true, two_is_well = true;
  const Address web = loopback(free_port());
  Origin one, two;
};

INSTANTIATE_TEST_SUITE_P(With, Health, testing::Values(1u, 2u, 4u),
                         [](const auto& i) { return std::to_string(i.param) + "Workers"; });

TEST_P(Health, AServerThatFailsItsChecksGetsNoRequestsUntilItIsUpAgain) {
  Baton baton(settings(active()));
  EXPECT_EQ(asked(baton), (Set{"one", "two"}));
  one_is_well = false;
  baton.await_log(says(one, "down: status 503"));
  EXPECT_EQ(asked(baton), Set{"two"});
  one_is_well = true;
  baton.await_log(says(one, "up \\(2 probes\\)"));
  EXPECT_EQ(asked(baton), (Set{"one", "two"}));
}

TEST_P(Health, AServerThatIsBadFromTheStartIsDownAfterTheFirstProbe) {
  one_is_well = false;
  Baton baton(settings(active()));
  baton.await_log(says(one, "down: status 503 \\(1 probe\\)"));
  EXPECT_EQ(asked(baton), Set{"two"});
}

TEST_P(Health, ADownServerStaysDownThroughUpgradesAndTheSuccessorProbesIt) {
  one_is_well = false;
  Baton baton(settings(active()));
  baton.await_log(says(one, "down"));
  for (int i = 0; i < 3; ++i) {
    baton.upgrade();
    EXPECT_EQ(asked(baton), Set{"two"}) << "generation " << i + 2;
  }
  EXPECT_EQ(baton.count_log_lines(says(one, "down")), 1u) << "no successor started blind";
  one_is_well = true;
  baton.await_log(says(one, "up"));
  EXPECT_EQ(asked(baton), (Set{"one", "two"}));
}

TEST_P(Health, AReloadWithoutChecksForgetsTheirVerdicts) {
  one_is_well = false;
  Baton baton(settings(active()));
  baton.await_log(says(one, "down"));
  baton.reload(settings(active(", host: other")));
  EXPECT_EQ(asked(baton), Set{"two"}) << "what is known stays";
  Settings none = settings("{ passive: {} }");
  baton.reload(none);
  EXPECT_EQ(asked(baton), (Set{"one", "two"}));
}

TEST_P(Health, AllThatAreDownAreTriedAll) {
  one_is_well = two_is_well = false;
  Baton baton(settings(active()));
  for (int i = 0; i < 2; ++i) baton.await_log(std::regex("upstream web: server .* is down"));
  EXPECT_EQ(asked(baton), (Set{"one", "two"}));
}

std::string passive(const std::string& more = "") {
  return "{ passive: { failures: 3, within: 10m, eject: 10m" + more + " } }";
}

TEST_P(Health, AServerThatFailsIsEjectedAndStaysSoThroughUpgradesAndReloads) {
  Baton baton(settings(passive()));
  Client client = baton.connect();
  for (int i = 0; i < 12; ++i)
    EXPECT_EQ(client.get("/fails").body, "two") << "a request that failed is tried elsewhere";
  baton.await_log(
      says(one, "ejected for 10m: 3 failures within 10m, the last: the server ended the connection before a response"));
  EXPECT_EQ(asked(baton), Set{"two"});
  const std::size_t to_one = one.requests().size();
  for (int i = 0; i < 2; ++i) {
    baton.upgrade();
    EXPECT_EQ(asked(baton), Set{"two"}) << "generation " << i + 2;
  }
  baton.reload(settings(passive(", at_most: 60%")));
  EXPECT_EQ(asked(baton), Set{"two"});
  EXPECT_EQ(one.requests().size(), to_one);
  EXPECT_EQ(baton.count_log_lines(says(one, "ejected")), 1u);
  baton.reload(settings("{ active: { path: /healthz } }"));
  EXPECT_EQ(asked(baton), (Set{"one", "two"})) << "without `passive` nothing is ejected";
}

TEST_P(Health, AnEjectedServerComesBack) {
  Baton baton(settings("{ passive: { failures: 2, within: 10m, eject: 200ms } }"));
  Client client = baton.connect();
  while (one.requests().size() < 2) client.get("/fails");
  baton.await_log(says(one, "ejected for 200ms"));
  baton.await_log(says(one, "no longer ejected"));
  EXPECT_EQ(asked(baton), (Set{"one", "two"}));
}

TEST_P(Health, StatusesCountOnRequest) {
  one.on("/busy", [](Exchange& exchange) { exchange.respond("", "503 Busy"); });
  two.on("/busy", [](Exchange& exchange) { exchange.respond(""); });
  Baton baton(settings(passive(", status: 502-504")));
  Client client = baton.connect();
  for (int i = 0; i < 12; ++i) client.get("/busy");
  baton.await_log(says(one, "ejected for 10m: 3 failures within 10m, the last: status 503"));
  EXPECT_EQ(asked(baton), Set{"two"});
}

TEST_P(Health, OneClientCannotHaveAServerEjectedForOthers) {
  Baton baton(settings(passive()));
  Client victim = baton.connect();
  Client attacker(web, "127.0.0.9");
  for (int i = 0; i < 30; ++i) {
    for (int j = 0; j < 4; ++j) EXPECT_EQ(victim.get("/who").status(), 200);
    EXPECT_EQ(attacker.get("/fails").body, "two");
  }
  EXPECT_EQ(asked(baton), (Set{"one", "two"}));
  EXPECT_EQ(baton.count_log_lines(says(one, "ejected")), 0u);
}

TEST_P(Health, NotAllServersAreEjected) {
  for (Origin* origin : {&one, &two}) origin->on("/fails", [](Exchange& exchange) { exchange.close = true; });
  Baton baton(settings(passive()));
  Client client = baton.connect();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.get("/fails").status(), 502);
  baton.await_log(std::regex("is ejected"));
  EXPECT_EQ(asked(baton).size(), 1u);
  EXPECT_EQ(baton.count_log_lines(std::regex("is ejected")), 1u) << "half of two";
}

// More servers than are probed at a time, and none ever answers.
TEST(HealthOfMany, EachGetsItsVerdictWhileTheOthersHang) {
  constexpr std::size_t servers = 300;
  const Fd silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in every_address{};
  every_address.sin_family = AF_INET;
  socklen_t length = sizeof every_address;
  ASSERT_EQ(::bind(silent.get(), reinterpret_cast<sockaddr*>(&every_address), length), 0);
  ASSERT_EQ(::listen(silent.get(), 4096), 0);
  ASSERT_EQ(::getsockname(silent.get(), reinterpret_cast<sockaddr*>(&every_address), &length), 0);
  const std::string port = ":" + std::to_string(ntohs(every_address.sin_port));
  std::string list;
  for (std::size_t i = 0; i < servers; ++i) {
    list += "      - { address: \"127.0." + std::to_string(1 + i / 200) + "." + std::to_string(1 + i % 200) + port +
            "\" }\n";
  }
  Settings settings;
  settings.binds = {loopback(free_port())};
  settings.topology = "listeners: [ { name: web, bind: \"" + settings.binds.front().text() +
                      "\" } ]\nupstreams:\n  - name: web\n"
                      "    health: { active: { every: 100ms, timeout: 300ms, down: 1 } }\n    servers:\n" +
                      list;
  Baton baton(settings);
  await([&] { return baton.count_log_lines(std::regex("is down: no(t reached| answer) within")) == servers; },
        "a verdict on every server");
}

}  // namespace
}  // namespace baton::harness
