// The command line, and what it reports about configurations.
#include <gtest/gtest.h>

#include "harness/baton.hpp"

namespace baton::harness {
namespace {

const std::string good =
    "version: 1\n"
    "listeners: [ { name: web, bind: \"127.0.0.1:8080\", protocol: http } ]\n"
    "upstreams: [ { name: web, servers: [ { address: \"127.0.0.1:9000\" } ] } ]\n";

// A server reached over TLS, with `tls` in line 3.
std::string with_upstream_tls(const std::string& tls) {
  return "version: 1\n"
         "listeners: [ { name: web, bind: \"127.0.0.1:8080\" } ]\n"
         "upstreams: [ { name: web, tls: " +
         tls + ", servers: [ { address: \"127.0.0.1:9000\" } ] } ]\n";
}

// A listener that speaks TLS, with `tls` in line 2.
std::string with_listener_tls(const std::string& tls) {
  return "version: 1\n"
         "listeners: [ { name: web, bind: \"127.0.0.1:8080\", tls: " +
         tls + " } ]\n" + "upstreams: [ { name: web, servers: [ { address: \"127.0.0.1:9000\" } ] } ]\n";
}

class Check : public testing::Test {
 protected:
  Outcome check(const std::string& yaml, std::vector<std::string> more = {}) {
    replace_file(path, yaml);
    more.insert(more.begin(), {"check", "-c", path});
    return run_baton(more);
  }
  TempDir dir;
  const std::string path = dir / "baton.yaml";
};

TEST_F(Check, AGoodFileIsGood) {
  Outcome outcome = check(good);
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
}

struct BadFile {
  const char* what;
  std::string yaml;
  int line;  // 0: any; likewise the column
  int column;
};
void PrintTo(const BadFile& file, std::ostream* out) {
  *out << file.what;
}

class BadFiles : public Check, public testing::WithParamInterface<BadFile> {};

TEST_P(BadFiles, NameTheirPlace) {
  Outcome outcome = check(GetParam().yaml);
  EXPECT_EQ(outcome.code, 1);
  auto number = [](int expected) { return expected == 0 ? std::string("[1-9]\\d*") : std::to_string(expected); };
  const std::string place = path + ":" + number(GetParam().line) + ":" + number(GetParam().column) + ": .+";
  EXPECT_TRUE(std::regex_search(outcome.out + outcome.err, std::regex(place))) << place << "\n"
                                                                               << outcome.out << outcome.err;
}

INSTANTIATE_TEST_SUITE_P(
    Of, BadFiles,
    testing::Values(
        BadFile{"UnknownKey", good + "no_such_key: 1\n", 4, 1},
        BadFile{"UnknownNestedKey", good + "timeouts:\n  hed: 1s\n", 5, 3},
        BadFile{"DuplicateKey", good + "workers: 1\nworkers: 2\n", 5, 1},
        BadFile{"BadDuration", good + "timeouts:\n  head: soon\n", 5, 9},
        BadFile{"DurationWithoutUnit", good + "timeouts:\n  head: 5\n", 5, 9},
        BadFile{"BadSize", good + "limits:\n  head_bytes: 4parsecs\n", 5, 15},
        BadFile{"NoHeadBytes", good + "limits:\n  head_bytes: 0\n", 5, 15},
        BadFile{"BadSyntax", good + "timeouts: [\n", 0, 0},
        BadFile{"BadAddress",
                "version: 1\nlisteners:\n  - name: web\n    bind: nowhere\nupstreams: [ { name: web, servers: "
                "[ { address: \"127.0.0.1:9000\" } ] } ]\n",
                4, 11},
        BadFile{"BadPort", good + "admin: { bind: \"127.0.0.1:70000\" }\n", 4, 0},
        BadFile{"WrongVersion", "version: 2\n" + good.substr(11), 1, 10},
        BadFile{"BadProtocol", good + "log: { level: loud }\n", 4, 15},
        BadFile{"BadWatch", good + "watch: yes\n", 4, 8},
        BadFile{"ListenerTlsWithoutCertificates", with_listener_tls("{}"), 2, 56},
        BadFile{"RelativeCertificate", with_listener_tls("{ certificates: [ { cert: a, key: /k } ] }"), 2, 82},
        BadFile{"EmptyUpstreamTls", with_upstream_tls(""), 3, 27},
        BadFile{"BadServerName", with_upstream_tls("{ server_name: 10.0.0.1 }"), 3, 47}),
    [](const auto& file) { return std::string(file.param.what); });

TEST_F(Check, AllProblemsAreNamedAtOnceWithASuggestion) {
  Outcome outcome = check(good + "timeouts:\n  heda: 1s\n  body: soon\n");
  const std::string all = outcome.out + outcome.err;
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(all.find(":5:"), std::string::npos) << all;
  EXPECT_NE(all.find(":6:"), std::string::npos) << all;
  EXPECT_NE(all.find("head"), std::string::npos) << all;
}

TEST_F(Check, AMissingFileIsNamed) {
  Outcome outcome = run_baton({"check", "-c", dir / "missing.yaml"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE((outcome.out + outcome.err).find("missing.yaml"), std::string::npos);
}

TEST_F(Check, PrintShowsEveryKeyAndCanBeReadAgain) {
  Outcome first = check(good, {"--print"});
  EXPECT_EQ(first.code, 0) << first.err;
  for (const char* key : {"upstream_idle", "head_bytes", "ready_timeout", "weight", "pid_file", "workers"})
    EXPECT_NE(first.out.find(key), std::string::npos) << key;
  Outcome second = check(first.out, {"--print"});
  EXPECT_EQ(second.code, 0) << second.out << second.err;
  EXPECT_EQ(second.out, first.out);
}

TEST_F(Check, PrintShowsTlsAndCanBeReadAgain) {
  Outcome first = check(with_upstream_tls("{}") + "watch: true\n", {"--print"});
  EXPECT_EQ(first.code, 0) << first.err;
  for (const char* line : {"verify: true", "ca: auto", "server_name: auto", "min_version: \"1.2\"", "watch: true"})
    EXPECT_NE(first.out.find(line), std::string::npos) << line;
  Outcome second = check(first.out, {"--print"});
  EXPECT_EQ(second.code, 0) << second.out << second.err;
  EXPECT_EQ(second.out, first.out);
}

TEST_F(Check, TextValuesTakeTheEnvironment) {
  replace_file(path,
               "version: 1\n"
               "listeners: [ { name: web, bind: \"127.0.0.1:${WEB_PORT}\" } ]\n"
               "upstreams: [ { name: web, servers: [ { address: \"${ORIGIN:-127.0.0.1:9000}\" } ] } ]\n");
  Outcome outcome = run_baton({"check", "-c", path, "--print"}, {"WEB_PORT=8123"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("127.0.0.1:8123"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("127.0.0.1:9000"), std::string::npos) << outcome.out;
}

const std::string with_routes =
    "version: 1\n"
    "listeners: [ { name: web, bind: \"127.0.0.1:8080\" } ]\n"
    "upstreams: [ { name: web, servers: [ { address: \"nobody.invalid:9000\" } ] } ]\n"
    "routes:\n"
    "  - { name: api, match: { host: \"*.example.com\", path_prefix: /v1 }, upstream: web }\n";

TEST_F(Check, ExplainSaysWhichRouteARequestTakesAndNothingElse) {
  const Outcome taken = check(with_routes, {"--explain", "http://a.example.com/v1/b"});
  EXPECT_EQ(taken.code, 0);
  EXPECT_EQ(taken.err, "");
  EXPECT_NE(taken.out.find("route:      `api`, at " + path + ":5:5\n"), std::string::npos) << taken.out;
  const Outcome none = check(with_routes, {"--explain", "http://example.com/v1/b"});
  EXPECT_EQ(none.code, 3) << "a bad file is 1";
  EXPECT_NE(none.out.find("none, the answer is 404"), std::string::npos) << none.out;
}

TEST_F(Check, ExplainRefusesWhatIsNoUrlAndABadFile) {
  const Outcome wrong = check(with_routes, {"--explain", "ftp://a"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_EQ(wrong.err, "baton: --explain: `ftp://a` is not an HTTP URL\n");
  EXPECT_EQ(check(with_routes, {"--explain", ""}).code, 2);
  EXPECT_EQ(check(with_routes, {"--explain", "/", "--method", "a b"}).code, 2);
  const Outcome bad = check(with_routes + "workers: 0\n", {"--explain", "http://a"});
  EXPECT_EQ(bad.code, 1);
  EXPECT_NE(bad.err.find(path + ":6:10: "), std::string::npos) << bad.err;
}

TEST_F(Check, RunRefusesABadFileWithTheSameWords) {
  replace_file(path, good + "no_such_key: 1\n");
  Outcome outcome = run_baton({"run", "-c", path});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE((outcome.out + outcome.err).find(path + ":4:1: "), std::string::npos) << outcome.err;
}

TEST(CommandLine, VersionNamesItselfAndTheProtocol) {
  Outcome outcome = run_baton({"version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.out.find("0.2.0"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("handoff"), std::string::npos) << outcome.out;
}

TEST(CommandLine, HelpNamesTheCommands) {
  Outcome outcome = run_baton({"--help"});
  EXPECT_EQ(outcome.code, 0);
  for (const char* command : {"run", "check", "demo", "version"})
    EXPECT_NE(outcome.out.find(command), std::string::npos) << command;
  EXPECT_EQ(run_baton({"run", "--help"}).code, 0);
}

TEST(CommandLine, MisuseIsTwo) {
  for (std::vector<std::string> wrong : std::vector<std::vector<std::string>>{
           {}, {"--no-such-flag"}, {"no-such-command"}, {"run", "--no-such-flag"}, {"check", "-c"}}) {
    Outcome outcome = run_baton(wrong);
    EXPECT_EQ(outcome.code, 2) << testing::PrintToString(wrong);
    EXPECT_FALSE((outcome.out + outcome.err).empty());
  }
}

TEST(CommandLine, APortThatIsTakenIsAStartThatFailed) {
  TempDir dir;
  Address taken = loopback(0);
  Fd listener = listen_on(taken);
  Settings settings(loopback(9000));
  settings.binds = {taken};
  replace_file(dir / "baton.yaml", to_yaml(settings, dir));
  Outcome outcome = run_baton({"run", "-c", dir / "baton.yaml"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find(taken.text()), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace baton::harness
