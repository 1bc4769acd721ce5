// `GET /events` through upgrades, failed ones and rollbacks: one socket, and every event on it whole. What is told
// there of upgrades and of the last hour is known to every process afterwards.
#include <gmock/gmock.h>
#include <signal.h>
#include <boost/json.hpp>

#include <list>
#include <string>
#include <vector>

#include "ctl/ctl.hpp"
#include "harness/log_lines.hpp"
#include "supervise/supervised.hpp"

namespace baton::harness {
namespace {

namespace json = boost::json;
using testing::ElementsAre;

const Address& tcp_admin() {
  static const Address address = loopback(free_port());
  return address;
}

struct Event {
  std::string name;
  json::value data;  // whole, or this could not be read
};

// A client that never connects again: whatever it is told comes over one socket.
class Follower {
 public:
  explicit Follower(const Address& admin) : client_(admin) {
    client_.send(get_request("/events"));
    head_ = client_.read_through("\r\n\r\n");
    if (is_accepted() && client_.read_through("\n\n") != "retry: 500\n\n") throw Failure("no retry");
  }

  bool is_accepted() const { return head_.starts_with("HTTP/1.1 200 "); }
  const std::string& head() const { return head_; }

  Event next() {
    const std::string text = client_.read_through("\n\n");
    const std::size_t end = text.find('\n');
    if (!text.starts_with("event: ") || text.compare(end, 7, "\ndata: ") != 0) throw Failure("no event: " + text);
    const std::string data = text.substr(end + 7, text.size() - end - 9);
    if (data.find('\n') != std::string::npos) throw Failure("an event of several lines: " + text);
    Event event{text.substr(7, end - 7), json::parse(data)};
    if (event.name == "status") note_generation(event.data);
    return event;
  }
  // The next one of this name.
  json::value await(const std::string& name) {
    for (;;) {
      if (Event event = next(); event.name == name) return std::move(event.data);
    }
  }
  void await_generation(std::int64_t generation) {
    while (await("status").at("generation").to_number<std::int64_t>() != generation) {
    }
  }
  // The events of an upgrade, up to its result, without those that repeat.
  std::vector<std::string> upgrade(json::value* result = nullptr) {
    std::vector<std::string> names;
    for (;;) {
      const json::value event = await("upgrade");
      const std::string name(event.at("event").as_string());
      if (names.empty() || names.back() != name) names.push_back(name);
      if (name != "result") continue;
      names.back() = std::string(event.at("upgrade").at("result").as_string());
      if (result != nullptr) *result = event.at("upgrade");
      return names;
    }
  }
  void expect_end() {
    std::string rest;
    client_.read_to_end(rest);
  }

 private:
  void note_generation(const json::value& status) {
    const auto now = status.at("generation").to_number<std::int64_t>();
    EXPECT_GE(now, generation_) << "a predecessor still writes";
    generation_ = now;
  }

  Client client_;
  std::string head_;
  std::int64_t generation_ = 0;
};

std::vector<std::string> steps_of(const json::value& upgrade) {
  std::vector<std::string> steps;
  std::int64_t before = 0;
  for (const json::value& one : upgrade.at("steps").as_array()) {
    steps.emplace_back(one.at("step").as_string());
    const auto ms = one.at("ms").to_number<std::int64_t>();
    EXPECT_GE(ms, before);
    before = ms;
  }
  return steps;
}

json::object history_of(const Baton& baton) {
  Client client(unix_socket(baton.directory() / "admin.sock"));
  return json::parse(client.get("/history").body).as_object();
}

std::int64_t until_ms(const json::object& history) {
  return history.at("until_ms").to_number<std::int64_t>();
}

// The first sample is taken soon after the start.
void await_sample(const Baton& baton) {
  await([&] { return !history_of(baton).at("requests").as_array().empty(); }, "a sample of the history");
}

class Events : public Ctl {
 protected:
  Events() : Ctl([](Settings& settings) { settings.more_admin = {tcp_admin()}; }) {}

  void install(const std::string& binary) { replace_file(baton.binary_path(), read_file(binary), true); }
};

class EventsOf : public Events, public testing::WithParamInterface<bool> {
 protected:
  Address here() const { return GetParam() ? admin() : tcp_admin(); }
};

INSTANTIATE_TEST_SUITE_P(Address, EventsOf, testing::Values(true, false),
                         [](const auto& is_unix) { return is_unix.param ? "Unix" : "Tcp"; });

TEST_P(EventsOf, GoOnThroughUpgradesAFailureAndARollback) {
  Follower follower(here());
  ASSERT_TRUE(follower.is_accepted()) << follower.head();
  EXPECT_NE(follower.head().find("Content-Type: text/event-stream\r\n"), std::string::npos) << follower.head();
  EXPECT_EQ(follower.await("history").at("every_s"), 10);
  EXPECT_EQ(follower.await("status").at("pid").to_number<pid_t>(), baton.pid());
  for (int generation = 2; generation <= 4; ++generation) {
    baton.upgrade();
    EXPECT_THAT(follower.upgrade(), testing::AllOf(testing::Contains("started"), testing::Contains("ready"),
                                                   testing::Contains("moving"), testing::Contains("completed")));
    follower.await_generation(generation);
  }
  install("/bin/false");
  baton.failed_upgrade();
  EXPECT_EQ(follower.upgrade().back(), "failed");
  follower.await_generation(4);
  EXPECT_EQ(ctl({"rollback"}).code, 0);
  baton.finish_upgrade();
  const auto back = follower.upgrade();
  EXPECT_EQ(back.front(), "rollback");
  EXPECT_EQ(back.back(), "completed");
  follower.await_generation(5);
  (void)follower.await("status");
  baton.signal(SIGTERM);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0})) << "a stream keeps nobody waiting";
  follower.expect_end();
}

// It costs no place of those who ask.
TEST_F(Events, HaveABoundOfTheirOwn) {
  std::list<Follower> followers;
  for (int i = 0; i < 16; ++i) EXPECT_TRUE(followers.emplace_back(tcp_admin()).is_accepted());
  Client refused(tcp_admin());
  EXPECT_EQ(refused.get("/events").status(), 503);
  EXPECT_EQ(refused.get("/status").status(), 200);
  EXPECT_TRUE(Follower(admin()).is_accepted()) << "those over TCP take no place of the Unix socket";
  baton.upgrade();
  for (Follower& one : followers) one.await_generation(2);
}

TEST_F(Events, OfAHeadAreNone) {
  Client client(tcp_admin());
  client.send("HEAD /events HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(client.read_through("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(client.get("/healthz").status(), 200);
}

TEST_F(Events, AnUpgradeIsListedWithItsSteps) {
  baton.upgrade();
  install("/bin/false");
  baton.failed_upgrade();
  install(baton_binary());
  baton.upgrade();
  const json::object status = baton.status();
  const json::array& upgrades = status.at("upgrades").as_array();
  ASSERT_EQ(upgrades.size(), 3u);
  EXPECT_EQ(upgrades[0], status.at("last_upgrade"));
  EXPECT_EQ(upgrades[0].at("to_generation"), 3) << "the newest first";
  EXPECT_EQ(upgrades[1].at("result"), "failed");
  EXPECT_EQ(upgrades[2].at("result"), "completed");
  EXPECT_THAT(steps_of(upgrades[0]), ElementsAre("started", "ready", "moving", "adopted", "done"));
  EXPECT_THAT(steps_of(upgrades[1]), ElementsAre("started", "failed"));
  EXPECT_GE(upgrades[0].at("at_ms").to_number<std::int64_t>(), upgrades[1].at("at_ms").to_number<std::int64_t>());
  EXPECT_GE(upgrades[1].at("at_ms").to_number<std::int64_t>(), upgrades[2].at("at_ms").to_number<std::int64_t>());
  const std::string page = Client(tcp_admin()).get("/").body;
  EXPECT_TRUE(contains(page, "<td>failed</td>")) << page;
}

class EventsOnProbation : public Ctl {
 protected:
  EventsOnProbation() : Ctl([](Settings& settings) { settings.handoff += ", probation: 60s"; }) {}
};

// The successor that gives everything back has never written.
TEST_F(EventsOnProbation, GoOnWhenAnUpgradeIsCancelled) {
  Follower follower(admin());
  follower.await_generation(1);
  baton.begin_upgrade();
  baton.await_log(std::regex("the successor is on probation"));
  EXPECT_EQ(ctl({"rollback"}).code, 0);
  json::value result;
  const auto told = follower.upgrade(&result);
  EXPECT_THAT(told, testing::IsSupersetOf({"ready", "recalled", "rolled_back"}));
  EXPECT_THAT(steps_of(result), ElementsAre("started", "ready", "probation", "failed"));
  follower.await_generation(1);
  EXPECT_EQ(baton.pid_in_file(), baton.pid());
  follower.await_generation(1);
}

TEST_F(Events, TheHistoryGoesOnInTheSuccessor) {
  await_sample(baton);
  Client client = baton.connect();
  for (int i = 0; i < 3; ++i) client.get("/bytes/1");
  const json::object before = history_of(baton);
  baton.upgrade();
  const json::object after = history_of(baton);
  EXPECT_GE(until_ms(after), until_ms(before));
  ASSERT_GE(after.at("requests").as_array().size(), before.at("requests").as_array().size());
  EXPECT_EQ(after.at("requests").as_array()[0], before.at("requests").as_array()[0]);
  // The requests of the predecessor's last seconds are in the successor's first sample, if they were in none before.
  const auto sum = [&] {
    std::int64_t requests = 0;
    const json::object history = history_of(baton);
    for (const json::value& one : history.at("requests").as_array()) {
      if (!one.is_null()) requests += one.to_number<std::int64_t>();
    }
    return requests;
  };
  await([&] { return sum() == 3; }, "the three requests in a sample", 2 * wait_max);
}

class EventsSupervised : public Supervised {};

TEST_F(EventsSupervised, UpgradesAndTheHistoryOutliveACrash) {
  await_sample(baton);
  upgrade();
  const json::object before = baton.status();
  const json::object history = history_of(baton);
  Follower follower(unix_socket(baton.directory() / "admin.sock"));
  crash(SIGKILL);
  follower.expect_end();
  EXPECT_EQ(baton.status().at("upgrades"), before.at("upgrades"));
  EXPECT_EQ(before.at("upgrades").as_array().size(), 1u);
  // From what was announced last.
  const json::object after = history_of(baton);
  ASSERT_FALSE(after.at("requests").as_array().empty());
  EXPECT_EQ(after.at("requests").as_array()[0], history.at("requests").as_array()[0]);
  await([&] { return until_ms(history_of(baton)) >= until_ms(history); }, "the next sample");
}

class Token : public Ctl {
 protected:
  static constexpr const char* token = "of-this-test-0123456789";
  Token() : Ctl([](Settings& settings) { settings.more_admin = {tcp_admin()}; }) {
    std::string yaml = read_file(baton.config_path());
    const std::size_t at = yaml.find("admin: { bind: ");
    yaml.insert(at + 8, " token: \"${NOT_SET:-of-this-test-0123456789}\",");
    replace_file(baton.config_path(), yaml);
    EXPECT_EQ(ctl({"reload"}).code, 0);
  }
  int drain_with(const std::string& field) const {
    Client client(tcp_admin());
    client.send("POST /drain HTTP/1.1\r\nHost: a\r\n" + field + "Content-Length: 0\r\n\r\n");
    return client.response().status();
  }
  Outcome ctl_over_tcp(std::vector<std::string> words, const std::string& with) const {
    words.insert(words.begin(), "ctl");
    words.insert(words.end(), {"--admin", tcp_admin().text()});
    return run_baton(std::move(words), {"BATON_ADMIN_TOKEN=" + with});
  }
};

TEST_F(Token, TakesCommandsOverTcpFromWhoeverHasIt) {
  EXPECT_EQ(drain_with(""), 401);
  EXPECT_EQ(drain_with("Authorization: Bearer of-this-test-0123456788\r\n"), 401);
  EXPECT_EQ(baton.readyz(), 200);
  EXPECT_EQ(drain_with(std::string("Authorization: Bearer ") + token + "\r\n"), 200);
  EXPECT_EQ(baton.readyz(), 503);
  EXPECT_EQ(ctl({"drain", "--undo"}).code, 0) << "on the Unix socket nothing changes";
  expect_failure(ctl_over_tcp({"drain"}, "of-this-test-0123456788"), "admin.token is missing or wrong");
  expect_done(ctl_over_tcp({"drain"}, token), "draining");
  expect_done(ctl_over_tcp({"upgrade"}, token), "completed");
  baton.finish_upgrade();
  EXPECT_EQ(drain_with(std::string("Authorization: Bearer ") + token + "\r\n"), 200) << "after an upgrade, too";
}

TEST_F(Token, IsNotShown) {
  for (const Outcome& shown :
       {ctl({"config"}), ctl_over_tcp({"config"}, token), run_baton({"check", "--print", "-c", baton.config_path()})}) {
    EXPECT_EQ(shown.code, 0) << shown.err;
    EXPECT_TRUE(contains(shown.out, "  token: \"***\"\n")) << shown.out;
    EXPECT_FALSE(contains(shown.out, token));
  }
  EXPECT_FALSE(contains(baton.log(), token));
}

}  // namespace
}  // namespace baton::harness
