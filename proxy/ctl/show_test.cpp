#include "proxy/ctl/show.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <exception>

namespace baton::ctl {
namespace {

namespace json = boost::json;

const char* const upgrade =
    R"({"result":"completed","reason":"","from_generation":1,"to_generation":2,"from_pid":10,"to_pid":11,)"
    R"("from_version":"0.1.0","to_version":"0.2.0","duration_ms":12,"moved":{"idle":3,"tunnel":1},"moved_total":4,)"
    R"("upstream_idle_moved":5,"taken_back":6,"refused":2,"refused_by_reason":{"too large":2},)"
    R"("pause_us":{"p50":1000,"p99":2000,"max":3500,"log2":[]}})";

json::object status(const std::string& last_upgrade) {
  return json::parse(R"({"generation":2,"pid":11,"version":"0.2.0","state":"serving","connections":{"idle":1,"head":2,)"
                     R"("total":3},"upstream_idle":4,"accepted_total":5,"requests_total":6,"last_upgrade":)" +
                     last_upgrade + "}")
      .as_object();
}

TEST(Show, AStatusIsATable) {
  EXPECT_EQ(status_table(status("null")),
            "baton          0.2.0\n"
            "state          serving\n"
            "generation     2\n"
            "PID            11\n"
            "connections    3 (idle 1, head 2)\n"
            "upstream idle  4\n"
            "accepted       5\n"
            "requests       6\n"
            "last upgrade   none\n");
}

TEST(Show, CrashesAreShownIfThereWereAny) {
  json::object crashed = status("null");
  crashed["crashes"] = json::parse(R"({"total":2,"whole_total":30,"lost_total":1,"last":null})");
  EXPECT_NE(status_table(crashed).find("\ncrashes        2 (30 connections went on, 1 lost)\n"), std::string::npos);
}

TEST(Show, TheStatusSaysWhereTheConfigurationComesFrom) {
  json::object said = status("null");
  said["configuration"] = {{"from", "api"}, {"at_ms", 1'700'000'000'999}};
  EXPECT_NE(status_table(said).find("\nconfiguration  applied over this interface at 2023-11-14T22:13:20Z\n"),
            std::string::npos);
  said["configuration"] = {{"from", "file"}, {"at_ms", 1'700'000'000'000}};
  EXPECT_NE(status_table(said).find("\nconfiguration  of the file, read at 2023-11-14T22:13:20Z\n"), std::string::npos);
}

TEST(Show, PlacesInAnAppliedFileGetItsName) {
  EXPECT_EQ(with_file_name("3:14: a\nb 1:2: c\n4: d\n:5:6: e\n7:8:", "f"),
            "f:3:14: a\nb 1:2: c\n4: d\n:5:6: e\nf:7:8:");
  EXPECT_EQ(with_file_name("", "f"), "");
  EXPECT_EQ(with_file_name("1:\n2:\n", "f"), "1:\n2:\n");
}

TEST(Show, TheCertificateThatExpiresFirstIsShownIfThatIsSoon) {
  json::object with = status("null");
  const auto shown = [&](int days_left, const std::string& names = R"(["a.example","b.example"])") {
    const std::string certificates = R"([{"listener":"web","path":"/a","names":)" + names +
                                     R"(,"not_after":"2026-12-05T04:00:00Z","days_left":)" + std::to_string(days_left) +
                                     R"(},{"listener":"web","path":"/b","names":[],"not_after":"","days_left":99}])";
    with["certificates"] = json::parse(certificates);
    return status_table(with);
  };
  EXPECT_NE(shown(29).find("\ncertificate    a.example expires in 29 days, at 2026-12-05T04:00:00Z: /a\n"),
            std::string::npos);
  EXPECT_NE(shown(1).find("a.example expires in 1 day, at"), std::string::npos);
  EXPECT_NE(shown(0).find("a.example expires within a day, at"), std::string::npos);
  EXPECT_NE(shown(-1, "[]").find("\ncertificate    no name expired, at "), std::string::npos);
  EXPECT_EQ(shown(30).find("certificate"), std::string::npos);
  with["certificates"] = json::array();
  EXPECT_EQ(status_table(with).find("certificate"), std::string::npos);
}

TEST(Show, AReportHasALineForEachQuestion) {
  EXPECT_EQ(upgrade_report(json::parse(upgrade).as_object()),
            "result         completed\n"
            "generation     1 to 2\n"
            "PID            10 to 11\n"
            "version        0.1.0 to 0.2.0\n"
            "duration       12 ms\n"
            "moved          4 (idle 3, tunnel 1), and 5 idle upstream connections\n"
            "taken back     6\n"
            "refused        2 (too large 2)\n"
            "pause          p50 1.0 ms, p99 2.0 ms, max 3.5 ms\n");
  std::string partly = upgrade;
  partly.replace(partly.find(R"("reason":"")"), 11, R"("reason":"3 connections could not move")");
  const std::string report = upgrade_report(json::parse(partly).as_object());
  EXPECT_EQ(report.find("result         completed, but 3 connections could not move\n"), 0u) << report;
  EXPECT_NE(status_table(status(upgrade)).find("\nlast upgrade\nresult         completed\n"), std::string::npos);
}

// As in an upgrade's result and, while nothing is decided, in its events.
json::object canary(const std::string& verdict, const std::string& decided_by, const std::string& text) {
  return json::parse(R"({"share":5.0,"verdict":")" + verdict + R"(","decided_by":")" + decided_by + R"(","text":")" +
                     text +
                     R"(","evidence":0.7,"canary":{"exchanges":900,"exposures":300,"clients_failed":2},)"
                     R"("others":{"exchanges":17100,"exposures":5700,"clients_failed":3}})")
      .as_object();
}

TEST(Show, AReportSaysHowTheCanaryFared) {
  json::object with_canary = json::parse(upgrade).as_object();
  with_canary["canary"] = canary("go_on", "comparison", "it is as good");
  EXPECT_NE(upgrade_report(with_canary)
                .find("\nduration       12 ms\n"
                      "canary         5% of the clients\n"
                      "verdict        go on, by comparison: it is as good\n"
                      "of the canary  900 requests, 2 clients failed\n"
                      "of the others  17100 requests, 3 clients failed\n"
                      "moved          4 "),
            std::string::npos)
      << upgrade_report(with_canary);
  with_canary["canary"] = canary("wait", "", "");
  EXPECT_NE(upgrade_report(with_canary).find("\nverdict        wait\n"), std::string::npos);
  with_canary["canary"] = canary("back", "failure", "one\\ntwo\\u001b[2J");
  EXPECT_NE(upgrade_report(with_canary)
                .find("\nverdict        back, by failure: one\n"
                      "               two\uFFFD[2J\n"),
            std::string::npos)
      << upgrade_report(with_canary);
  with_canary["canary"] = json::object();
  EXPECT_THROW(upgrade_report(with_canary), std::exception);
}

TEST(Show, ARunningCanaryIsOneLineThatFitsATerminal) {
  json::object event{{"event", "canary"}, {"left_ms", 11'001}, {"canary", canary("wait", "", "")}};
  EXPECT_EQ(canary_line(event), "canary 5%, wait, 12 s left: 900 requests, 2 clients failed; others 17k, 3");
  json::object& much = event["canary"].as_object();
  much["share"] = 0.25;
  much["verdict"] = "doubt\x1b";
  much["canary"] = json::parse(R"({"exchanges":9999,"clients_failed":17})");
  much["others"] = json::parse(R"({"exchanges":12345678,"clients_failed":250})");
  EXPECT_EQ(canary_line(event),
            "canary 0.25%, doubt\uFFFD, 12 s left: 9999 requests, 17 clients failed; others 12M, 250");
  much.erase("others");
  EXPECT_THROW(canary_line(event), std::exception);
}

TEST(Show, WhatASuccessorNeverSaidOfItselfIsUnknown) {
  json::object failed = json::parse(upgrade).as_object();
  failed["to_generation"] = failed["to_pid"] = 0;
  failed["to_version"] = "";
  const std::string report = upgrade_report(failed);
  EXPECT_NE(report.find("\ngeneration     1 to unknown\n"
                        "PID            10 to unknown\n"
                        "version        0.1.0 to unknown\n"),
            std::string::npos)
      << report;
}

TEST(Show, AReasonOfSeveralLinesKeepsThem) {
  json::object failed = json::parse(upgrade).as_object();
  failed["result"] = "failed";
  failed["reason"] = "the configuration is invalid:\n./b.yaml:3:5: one\n./b.yaml:4:1: two\x1b[2J";
  EXPECT_TRUE(
      upgrade_report(failed).starts_with("result         failed: the configuration is invalid:\n"
                                         "               ./b.yaml:3:5: one\n"
                                         "               ./b.yaml:4:1: two\uFFFD[2J\n"
                                         "generation     1 to 2\n"))
      << upgrade_report(failed);
}

TEST(Show, WhatIsNoStatusOfBatonsIsRefusedWhicheverKeyIsMissingOrWrong) {
  const json::object good = status(upgrade);
  for (const auto& [key, value] : good) {
    json::object less = good;
    less.erase(key);
    EXPECT_THROW(status_table(less), std::exception) << key;
    json::object wrong = good;
    wrong[key] = json::array{1};
    EXPECT_THROW(status_table(wrong), std::exception) << key;
  }
  const json::object report = json::parse(upgrade).as_object();
  for (const auto& [key, value] : report) {
    json::object less = report;
    less.erase(key);
    EXPECT_THROW(upgrade_report(less), std::exception) << key;
  }
}

TEST(Show, NoControlCharacterReachesTheTerminal) {
  for (int code = 0; code < 256; ++code) {
    const std::string out = printable("a" + std::string(1, static_cast<char>(code)) + "b");
    for (const char byte : out) {
      EXPECT_FALSE(static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f) << code;
    }
  }
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\uFFFD31m")
      << "C1 escapes are obeyed by some terminals";
  EXPECT_EQ(printable("grün\n"), "grün\uFFFD");
  EXPECT_EQ(printable("grün\n\x1b", true), "grün\n\uFFFD");
  json::object hostile = status("null");
  hostile["version"] = "\x1b[2J";
  EXPECT_EQ(status_table(hostile).find('\x1b'), std::string::npos);
}

TEST(Show, RoutesAreRows) {
  const json::value routes =
      json::parse(R"({"routes":[{"name":"api","match":"a.example/v1/*","action":"upstream app","file":"b.yaml",)"
                  R"("line":7,"requests_total":12,"failures_total":3},{"name":"*","match":"*","action":"respond 204",)"
                  R"("file":"b\u001b.yaml","line":9,"requests_total":0,"failures_total":0}]})");
  EXPECT_EQ(routes_table(routes.as_object()),
            "    requests  failures  route                            action                        where\n"
            "          12         3  api (a.example/v1/*)             upstream app                  b.yaml:7\n"
            "           0         0  *                                respond 204                   b\uFFFD.yaml:9\n");
}

TEST(Show, ServersSayWhatTheyAreAndWhy) {
  const auto server = [](const std::string& more) {
    return R"({"upstream":"app","address":"a:1","state":"up","weight":1,"connections":0,"requests_total":0,)"
           R"("failures_total":0,"response_p50_ms":0,"response_p99_ms":3,)" +
           more + "}";
  };
  const json::value servers = json::parse("{\"servers\":[" + server(R"("why":"","since_ms":0,"backup":false)") + "," +
                                          server(R"("why":"by command","since_ms":1000,"backup":true)") + "," +
                                          server(R"("why":"","since_ms":0,"backup":true)") + "," +
                                          server(R"("why":"by command","since_ms":0)") + "]}");
  const std::string table = servers_table(servers.as_object());
  const std::string row =
      "app/a:1                                  up            1           0            0         0"
      "        -     3 ms  ";
  EXPECT_EQ(table.substr(table.find('\n') + 1), row + "\n" + row + "backup, by command, since 1970-01-01T00:00:01Z\n" +
                                                    row + "backup\n" + row + "by command\n");
}

TEST(Show, ABarIsFullExactlyAtTheEnd) {
  EXPECT_EQ(progress_bar(0, 4), "[------------------------------] 0 of 4 connections have left");
  EXPECT_EQ(progress_bar(2, 4), "[###############---------------] 2 of 4 connections have left");
  EXPECT_EQ(progress_bar(4, 4), "[##############################] 4 of 4 connections have left");
  EXPECT_EQ(progress_bar(0, 0), "[##############################] 0 of 0 connections have left");
  EXPECT_EQ(progress_bar(9, 4), progress_bar(4, 4));
}

}  // namespace
}  // namespace baton::ctl
