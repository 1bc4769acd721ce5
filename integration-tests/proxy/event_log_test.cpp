// The event log as JSON, from every process that writes to it.
#include <gtest/gtest.h>
#include <signal.h>

#include <boost/json.hpp>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"
#include "supervise/supervised.hpp"

namespace baton::harness {
namespace {

namespace json = boost::json;

std::vector<std::string> lines_of(const std::string& log) {
  std::vector<std::string> lines;
  std::istringstream in(log);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool is_json(const std::string& line) {
  return line.starts_with('{');
}

// Each line is an object with these members, in UTF-8.
std::vector<json::object> events_of(const std::string& log) {
  static const std::regex time(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)");
  static const std::regex level("debug|info|warn|error");
  std::vector<json::object> events;
  for (const std::string& line : lines_of(log)) {
    boost::system::error_code error;
    const json::value value = json::parse(line, error);
    if (error || !value.is_object()) {
      ADD_FAILURE() << line;
      continue;
    }
    const json::object& event = value.get_object();
    EXPECT_TRUE(std::regex_match(std::string(event.at("time").as_string()), time)) << line;
    EXPECT_TRUE(std::regex_match(std::string(event.at("level").as_string()), level)) << line;
    EXPECT_GT(event.at("pid").as_int64(), 1) << line;
    EXPECT_TRUE(event.at("message").is_string()) << line;
    events.push_back(event);
  }
  return events;
}

bool contains(const json::object& event, const std::string& words) {
  return std::string(event.at("message").as_string()).find(words) != std::string::npos;
}

const json::object& only_one_with(const std::vector<json::object>& events, const std::string& words) {
  static const json::object none{{"message", ""}};
  const json::object* found = nullptr;
  for (const json::object& event : events) {
    if (!contains(event, words)) continue;
    EXPECT_EQ(found, nullptr) << words << " twice";
    found = &event;
  }
  EXPECT_NE(found, nullptr) << words;
  return found != nullptr ? *found : none;
}

class EventLogAsJson : public testing::Test {
 protected:
  Settings settings() const {
    Settings chosen(origin.address());
    chosen.log = "format: json";
    chosen.own_binary = true;
    chosen.binds = {bind};
    return chosen;
  }

  Origin origin;
  const Address bind = loopback(free_port());
};

TEST_F(EventLogAsJson, HasOnlyObjectsWhateverASuccessorHasToSay) {
  Baton baton(settings());
  const pid_t first = baton.pid();
  const std::string good = read_file(baton.config_path());
  replace_file(baton.config_path(), good + "no_such_key: 1\n");
  baton.failed_upgrade();  // by one that has not read its configuration
  replace_file(baton.config_path(), good);
  const std::string name = "/no/such/\x01\"\u009B\n";
  EXPECT_EQ(run_baton({"ctl", "upgrade", "--binary", name, "-c", baton.config_path()}).code, 1);
  baton.upgrade();
  baton.signal(SIGTERM);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  const auto events = events_of(baton.log());
  EXPECT_TRUE(contains(only_one_with(events, "cannot start /no/such/"), "/\x01\"\u009B\n: ")) << baton.log();
  const json::object& refusal = only_one_with(events, "cannot succeed: " + baton.config_path());
  EXPECT_EQ(refusal.at("level"), "error");
  EXPECT_FALSE(refusal.contains("generation")) << "it never had one";
  const json::object& report = only_one_with(events, "upgrade: generation 1 to 2");
  EXPECT_EQ(report.at("pid"), first);
  EXPECT_EQ(report.at("generation"), 1);
  EXPECT_EQ(events.back().at("pid"), baton.pid());
  EXPECT_EQ(events.back().at("generation"), 2);
}

TEST_F(EventLogAsJson, IsSwitchedByAReload) {
  Settings text = settings();
  text.log = "format: text";
  Baton baton(text);
  baton.reload(settings());
  baton.signal(SIGUSR1);
  baton.await_log(std::regex(R"(^\{.*log files reopened)"));
  baton.reload(text);
  baton.signal(SIGUSR1);
  baton.await_log(std::regex(R"(^20.*log files reopened)"));
}

TEST_F(EventLogAsJson, NamesTheRequestInAMemberOfItsOwn) {
  Settings chosen = settings();
  chosen.log = "format: json, level: debug";
  Baton baton(chosen);
  const auto refusal = [&](const std::string& request_fields, int status) {
    EXPECT_EQ(baton.connect().get("/", request_fields).status(), status);
    return only_one_with(events_of(baton.await_log(std::regex("gets " + std::to_string(status)))), " gets ");
  };
  EXPECT_FALSE(refusal("Transfer-Encoding: gzip\r\n", 501).contains("request_id")) << "requests have none";
  chosen.more = "request_id: { header: X-Request-Id }\n";
  baton.reload(chosen);
  const json::object event = refusal("Expect: the-unexpected\r\n", 417);
  ASSERT_TRUE(event.contains("request_id")) << baton.log();
  const std::string id(event.at("request_id").as_string());
  EXPECT_EQ(id.size(), 36u) << id;
  EXPECT_TRUE(contains(event, ", request " + id));
}

TEST_F(EventLogAsJson, ByTheCommandLineBeginsWithTheFirstLine) {
  const TempDir directory;
  const std::string path = directory / "baton.yaml";
  replace_file(path, "version: 1\nno_such_key: 1\n");
  const Outcome outcome = run_baton({"run", "--log-format", "json", "-c", path});
  EXPECT_EQ(outcome.code, 1);
  only_one_with(events_of(outcome.err), "cannot start: " + path + ":2:1: ");
  EXPECT_EQ(run_baton({"run", "--log-format", "xml", "-c", path}).code, 2);
}

class SupervisedAsJson : public Supervised {
 protected:
  SupervisedAsJson() : Supervised([](Settings& settings) { settings.log = "format: json"; }) {}
};

// The parent does not read the configuration: it learns the format from its worker.
TEST_F(SupervisedAsJson, ItsParentAndItsKeepersWriteObjectsToo) {
  await_known(worker());
  crash();
  await_known(worker());
  upgrade();
  EXPECT_EQ(stop(), (Ended{0, 0}));
  std::string all;
  std::vector<std::string> text;
  for (const std::string& line : lines_of(baton.log())) {
    if (is_json(line)) {
      all += line + "\n";
    } else {
      text.push_back(line);
    }
  }
  EXPECT_EQ(text.size(), 1u) << "the first one of the parent, which then knows no worker\n" << baton.log();
  const auto events = events_of(all);
  EXPECT_EQ(only_one_with(events, " crashed: ").contains("generation"), false) << "of the keeper";
  EXPECT_EQ(only_one_with(events, "is the instance, generation 3").at("pid"), parent);
}

class SupervisedAsJsonFromTheStart : public Supervised {
 protected:
  SupervisedAsJsonFromTheStart()
      : Supervised([](Settings& settings) { settings.arguments.push_back("--log-format=json"); }) {}
};

TEST_F(SupervisedAsJsonFromTheStart, WritesNothingElse) {
  await_known(worker());
  upgrade();
  EXPECT_EQ(stop(), (Ended{0, 0}));
  EXPECT_EQ(only_one_with(events_of(baton.log()), "supervisor: started PID").at("pid"), parent);
}

}  // namespace
}  // namespace baton::harness
