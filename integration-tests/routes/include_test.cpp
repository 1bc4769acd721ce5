// A configuration of several files: reload, upgrade and rollback treat it as one.
#include <gtest/gtest.h>
#include <signal.h>

#include <boost/json.hpp>

#include <filesystem>
#include <regex>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

namespace json = boost::json;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class IncludedFiles : public testing::Test {
 protected:
  IncludedFiles() {
    second.on("/bytes/2", [](Exchange& exchange) { exchange.respond("second"); });
    std::filesystem::create_directory(folder());
    const std::string yaml = read_file(baton.config_path());
    replace_file(baton.config_path(), yaml + "routes: [ { upstream: web } ]\ninclude: [ conf.d/*.yaml ]\n");
    reload();
  }

  std::string folder() const { return baton.directory() / "conf.d"; }
  std::string file() const { return folder() + "/second.yaml"; }
  void write_second(const std::string& upstream = "second") {
    replace_file(file(), "listeners: [ { name: second, bind: \"" + extra.text() +
                             "\" } ]\n"
                             "routes:\n  - match: { host: second.test }\n    upstream: " +
                             upstream + "\nupstreams: [ { name: second, servers: [ { address: \"" +
                             second.address().text() + "\" } ] } ]\n");
  }
  void reload() {
    baton.signal(SIGHUP);
    baton.await_log(log_lines::reload_done);
  }
  static std::string ask(Client& client) {
    client.send("GET /bytes/2 HTTP/1.1\r\nHost: second.test\r\n\r\n");
    return client.response().body;
  }

  Origin first, second;
  Address extra = loopback(free_port());
  Baton baton{Settings(first.address())};
};

TEST_F(IncludedFiles, TakePartInReloadUpgradeAndRollback) {
  Client early = baton.connect();
  EXPECT_EQ(ask(early), pattern(2));
  write_second();
  reload();
  Client late(extra);
  EXPECT_EQ(ask(late), "second");
  EXPECT_EQ(ask(early), "second");

  std::filesystem::remove(file());
  baton.upgrade();
  EXPECT_EQ(ask(early), pattern(2));

  // The files are gone: a rollback takes the configuration from its predecessor.
  std::filesystem::remove_all(folder());
  const Outcome outcome = run_baton({"ctl", "rollback", "-c", baton.config_path()});
  ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err << baton.log();
  baton.finish_upgrade();
  EXPECT_EQ(ask(early), "second");
  EXPECT_EQ(ask(late), "second");
  Client last(extra);
  EXPECT_EQ(ask(last), "second");
}

TEST_F(IncludedFiles, ThatAreWrongChangeNothingAndAreNamed) {
  write_second("nobody");
  baton.signal(SIGHUP);
  baton.await_log(log_lines::reload_failed);
  const std::string problem = file() + ":4:15: there is no upstream `nobody`";
  EXPECT_TRUE(contains(baton.log(), problem)) << baton.log();
  baton.failed_upgrade();
  EXPECT_EQ(baton.count_log_lines(std::regex("there is no upstream `nobody`")), 2u) << "once each\n" << baton.log();
  EXPECT_TRUE(contains(baton.log(), "cannot succeed: " + problem)) << baton.log();
  const json::object report = baton.status().at("last_upgrade").as_object();
  EXPECT_TRUE(contains(std::string(report.at("reason").as_string()), problem));
  Client client = baton.connect();
  EXPECT_EQ(ask(client), pattern(2));

  const Outcome check = run_baton({"check", "-c", baton.config_path()});
  EXPECT_EQ(check.code, 1);
  EXPECT_TRUE(contains(check.err, problem)) << check.err;
}

TEST_F(IncludedFiles, ArePrintedExplainedAndWarnedOf) {
  write_second();
  const Outcome printed = run_baton({"check", "--print", "-c", baton.config_path()});
  EXPECT_EQ(printed.code, 0) << printed.err;
  EXPECT_TRUE(contains(printed.out, "name: \"second\"")) << printed.out;
  replace_file(baton.directory() / "whole.yaml", printed.out);
  std::filesystem::rename(folder(), folder() + ".away");
  EXPECT_EQ(run_baton({"check", "--print", "-c", baton.directory() / "whole.yaml"}).out, printed.out);
  std::filesystem::rename(folder() + ".away", folder());

  const Outcome explained = run_baton({"check", "-c", baton.config_path(), "--explain", "http://second.test/"});
  EXPECT_EQ(explained.code, 0) << explained.err;
  EXPECT_TRUE(contains(explained.out, "at " + file() + ":3:5")) << explained.out;

  replace_file(folder() + "/warned.yaml",
               "routes:\n  - match: { host: second.test, header: { a: b } }\n    upstream: web\n"
               "  - match: { host: second.test, header: { a: b, c: \"!\" } }\n    upstream: web\n"
               "  - match: { host: third.test, header: { X-Real-IP: b } }\n    upstream: web\n");
  const Outcome check = run_baton({"check", "-c", baton.config_path()});
  EXPECT_EQ(check.code, 0) << check.err;
  EXPECT_TRUE(contains(check.err, folder() + "/warned.yaml:6:5: warning: ")) << check.err;
}

}  // namespace
}  // namespace baton::harness
