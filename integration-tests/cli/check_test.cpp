// What `baton check` finds beyond the file: on this machine, now, without starting anything.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "harness/baton.hpp"
#include "harness/certificates.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class LookAround : public testing::Test {
 protected:
  // The three required lines, on a free port, followed by `more`.
  std::string yaml(const std::string& more = {}) const {
    return "version: 1\n"
           "listeners: [ { name: web, bind: \"" +
           free.text() + "\" } ]\n" +
           "upstreams: [ { name: app, servers: [ { address: \"127.0.0.1:9000\" } ] } ]\n"
           "handoff: { socket: " +
           dir / "handoff.sock" + " }\n" + "admin: { bind: \"unix:" + dir / "admin.sock" + "\" }\n" +
           "pid_file: " + dir / "baton.pid" + "\n" + more;
  }
  Outcome check(const std::string& text, std::vector<std::string> more = {}) const {
    replace_file(path, text);
    more.insert(more.begin(), {"check", "-c", path});
    return run_baton(more);
  }
  // Exactly one warning, at this place and with this text; a failure only with --strict.
  void expect_warning(const std::string& text, const std::string& place, const std::string& words) const {
    const Outcome outcome = check(text);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, path + ": ok, with 1 warning\n");
    EXPECT_TRUE(contains(outcome.err, path + ":" + place + ": warning: ")) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, words)) << outcome.err;
    EXPECT_EQ(check(text, {"--strict"}).code, 1);
  }
  void expect_nothing(const std::string& text) const {
    const Outcome outcome = check(text, {"--strict"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, path + ": ok\n");
    EXPECT_EQ(outcome.err, "");
  }

  TempDir dir;
  const std::string path = dir / "baton.yaml";
  const Address free = loopback(free_port());
};

TEST_F(LookAround, FindsNothingWhereNothingIsWrong) {
  expect_nothing(yaml());
}

TEST_F(LookAround, FindsAHostThatDoesNotResolve) {
  std::string text = yaml();
  text.replace(text.find("127.0.0.1:9000"), 14, "nobody.invalid:9000");
  expect_warning(text, "3:49", "the host `nobody.invalid` c");  // cannot, or could not in time
}

TEST_F(LookAround, FindsFoldersThatAreMissing) {
  expect_warning(yaml("log: { access: { path: /no/such/folder/access.log } }\n"), "7:24",
                 "`log.access.path`: the folder /no/such/folder cannot be reached: No such file");
  std::string text = yaml();
  text.replace(text.find(dir / "baton.pid"), std::string(dir / "baton.pid").size(), "/no/such/folder/baton.pid");
  expect_warning(text, "6:11", "`pid_file`: the folder /no/such/folder cannot be reached");
  text = yaml();
  text.replace(text.find(free.text()), free.text().size(), "unix:/no/such/folder/web.sock");
  expect_warning(text, "2:33", "`bind`: the folder /no/such/folder cannot be reached");
}

TEST_F(LookAround, FindsAnAddressThatAnotherProgramListensOn) {
  Address taken = loopback(0);
  const Fd listener = listen_on(taken);
  std::string text = yaml();
  text.replace(text.find(free.text()), free.text().size(), taken.text());
  expect_warning(text, "2:33", "`bind`: another program listens on " + taken.text());
}

TEST_F(LookAround, FindsAPathThatIsNoSocket) {
  replace_file(dir / "admin.sock", "mine");
  expect_warning(yaml(), "5:16", "`admin.bind`: " + dir / "admin.sock" + " exists and is not a socket");
  EXPECT_EQ(read_file(dir / "admin.sock"), "mine");
}

TEST_F(LookAround, FindsMoreConnectionsThanFitIntoTheOpenFiles) {
  const auto check_with = [&](const std::string& connections, const std::string& how) {
    replace_file(path, yaml("workers: 2\nlimits: { connections: " + connections + " }\n"));
    return run({{"sh", "-c", "ulimit -n 1024; exec " + baton_in_shell() + " check " + how + " -c " + path}});
  };
  for (const char* fitting : {"auto", "0", "384"}) EXPECT_EQ(check_with(fitting, "--strict").err, "") << fitting;
  const Outcome outcome = check_with("385", "");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_TRUE(contains(outcome.out, "ok, with 1 warning")) << outcome.out;
  EXPECT_TRUE(contains(outcome.err, path + ":8:24: warning: `limits.connections`: 385 is more than 1024 open files"))
      << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "raise the limit of open files to 1026")) << outcome.err;
  EXPECT_EQ(check_with("385", "--strict").code, 1);
}

TEST_F(LookAround, FindsCertificatesThatHaveExpired) {
  Authority authority(dir);
  const Certificate good = authority.issue({"good.test"});
  const Certificate old = authority.issue_expired("old.test");
  std::string text = yaml();
  text.replace(text.find(" } ]"), 4, ", tls: { certificates: [ " + good.yaml() + ",\n  " + old.yaml() + " ] } } ]");
  expect_warning(text, "3:11", "the certificate of CN=old.test has expired: it was valid until ");
}

TEST_F(LookAround, NamesEveryCertificateThatCannotBeUsed) {
  Authority authority(dir);
  const Certificate one = authority.issue({"one.test"});
  const Certificate two = authority.issue({"two.test"});
  std::string text = yaml();
  text.replace(text.find(" } ]"), 4,
               ", tls: { certificates: [ { cert: " + one.cert + ", key: " + two.key +
                   " },\n  { cert: /no/cert, key: /no/key },\n  " + two.yaml() + " ] } } ]");
  const Outcome outcome = check(text);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(contains(outcome.err, "this key does not belong to the certificate in " + one.cert)) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, path + ":3:11: /no/cert: No such file")) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, path + ":3:26: /no/key: No such file")) << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 3) << outcome.err;
}

TEST_F(LookAround, PrintsTheConfigurationAndNothingElse) {
  const Outcome outcome = check(yaml("log: { access: { path: /no/such/folder/access.log } }\n"), {"--print"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
  EXPECT_TRUE(contains(outcome.out, "/no/such/folder/access.log"));
}

TEST_F(LookAround, LooksAlsoWhereItPrintsIfWarningsCount) {
  const std::string text = yaml("log: { access: { path: /no/such/folder/access.log } }\n");
  const Outcome printed = check(text, {"--print"});
  const Outcome outcome = check(text, {"--print", "--strict"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, printed.out);
  EXPECT_TRUE(contains(outcome.err, ":7:24: warning: `log.access.path`: ")) << outcome.err;
  EXPECT_EQ(check(yaml(), {"--print", "--strict"}).code, 0);
}

// A user who can replace the link could let two instances run.
TEST_F(LookAround, IsNotForTheLockWhichIsNoLinkWhereBatonRuns) {
  std::filesystem::create_symlink(dir / "elsewhere", dir / "handoff.sock.lock");
  replace_file(path, yaml());
  const Outcome outcome = run_baton({"run", "-c", path});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(contains(outcome.err, "cannot open the lock " + dir / "handoff.sock.lock" + ": it is a symbolic link"))
      << outcome.err;
  EXPECT_FALSE(contains(outcome.err, "a folder we can write")) << outcome.err;
}

TEST(BesideARunningBaton, CheckHasNothingToSayAboutItsAddresses) {
  Origin origin;
  Settings settings(origin.address());
  settings.more_admin = {loopback(free_port())};
  Baton baton(settings);
  const auto check = [&] { return run_baton({"check", "--strict", "-c", baton.config_path()}); };
  const Outcome beside = check();
  EXPECT_EQ(beside.code, 0) << beside.err;
  EXPECT_EQ(beside.err, "");
  // What an upgrade would add is a separate matter.
  std::string yaml = read_file(baton.config_path());
  const std::string own = "\"" + baton.address().text() + "\"";
  yaml.replace(yaml.find(own), own.size(), own + ", \"" + origin.address().text() + "\"");
  replace_file(baton.config_path(), yaml);
  const Outcome added = check();
  EXPECT_EQ(added.code, 1);
  EXPECT_TRUE(contains(added.err, "another program listens on " + origin.address().text())) << added.err;
  EXPECT_FALSE(contains(added.err, "listens on " + baton.address().text())) << added.err;
  EXPECT_EQ(baton.connect().get("/bytes/2").body, pattern(2));
  EXPECT_EQ(baton.count_log_lines(std::regex("taker|takeover")), 0u) << baton.log();
}

}  // namespace
}  // namespace baton::harness
