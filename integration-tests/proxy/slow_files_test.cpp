// Files and names that take long, for a reload or at the start: the main thread continues meanwhile. A FIFO is as slow
// as the test likes: its reader waits until the test writes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "harness/aftermath.hpp"
#include "harness/certificates.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool can_preload = false;
#else
constexpr bool can_preload = true;
#endif

// Replaces a file in one step.
class SlowFile {
 public:
  explicit SlowFile(const std::string& path) {
    const std::string beside = path + ".fifo";
    if (::mkfifo(beside.c_str(), 0644) != 0) throw Failure("no FIFO " + beside);
    std::filesystem::rename(beside, path);
    path_ = path;
  }
  // A process reads it, and waits.
  void await_reader() {
    await(
        [this] {
          writer_ = Fd(::open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
          return static_cast<bool>(writer_);
        },
        "somebody to read " + path_);
  }
  void answer(const std::string& content) {
    if (::write(writer_.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()))
      throw Failure("nobody reads " + path_);
    writer_.close();
  }

 private:
  std::string path_;
  Fd writer_;
};

class SlowReload : public testing::Test {
 protected:
  static Settings settings(const Origin& origin, const TempDir& logs) {
    Settings settings(origin.address());
    settings.own_binary = true;
    settings.log = "access: { path: " + logs / "access.log" + " }";
    return settings;
  }
  // A reload that waits for its file, which is then replaced by one containing `next`.
  void begin_reload(const std::string& next) {
    SlowFile file(baton.config_path());
    baton.signal(SIGHUP);
    file.await_reader();
    slow.emplace(std::move(file));
    replace_file(baton.config_path(), next);
  }
  std::string with(const std::string& more) const { return good + more; }
  std::string ctl_path() const { return "unix:" + baton.directory() / "admin.sock"; }
  Command ctl(const std::string& word) const { return {{baton_binary(), "ctl", word, "--admin", ctl_path()}}; }
  void expect_all_goes_on() {
    EXPECT_EQ(baton.readyz(), 200);
    EXPECT_EQ(baton.number("generation"), 1);
    EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
    baton.signal(SIGUSR1);
    baton.await_log(log_lines::logs_reopened);
    EXPECT_EQ(run(ctl("drain")).code, 0);
    EXPECT_EQ(baton.readyz(), 503);
    EXPECT_EQ(run({{baton_binary(), "ctl", "drain", "--undo", "--admin", ctl_path()}}).code, 0);
  }
  std::size_t reloads() const { return baton.count_log_lines(log_lines::reload_done); }

  const Origin origin;
  const TempDir logs;
  Baton baton{settings(origin, logs)};
  const std::string good = read_file(baton.config_path());
  Client client = baton.connect();
  std::optional<SlowFile> slow;
};

TEST_F(SlowReload, KeepsNobodyWaiting) {
  begin_reload(good);
  expect_all_goes_on();
  EXPECT_EQ(reloads(), 0u);
  slow->answer(with("limits: { requests_per_connection: 100 }\n"));
  baton.await_log(log_lines::reload_done);
  EXPECT_EQ(client.get("/bytes/3").body, pattern(3));
}

// The file may have changed after it was read.
TEST_F(SlowReload, IsFollowedByAnotherIfSomebodyAsksMeanwhile) {
  begin_reload(with("limits: { requests_per_connection: 3 }\n"));
  baton.signal(SIGHUP);
  const std::regex follows(R"(warn .* reload: another one has been reading files for \d+ s; this one follows)");
  baton.await_log(follows);
  Process asking(ctl("reload"));
  baton.await_log(follows);
  slow->answer(good);
  baton.await_log(log_lines::reload_done);
  baton.await_log(log_lines::reload_done);
  EXPECT_EQ(asking.await_exit(), (Ended{0, 0})) << asking.err();
  for (int i = 0; i < 2; ++i) EXPECT_NE(client.get("/bytes/3").field("Connection"), "close");
  EXPECT_EQ(client.get("/bytes/3").field("Connection"), "close") << "as the second one says";
}

TEST_F(SlowReload, OnCommandIsAnsweredAtItsEnd) {
  SlowFile file(baton.config_path());
  Process asking(ctl("reload"));
  file.await_reader();
  expect_all_goes_on();
  EXPECT_TRUE(is_alive(asking.pid()));
  file.answer("no configuration\n");
  EXPECT_EQ(asking.await_exit(), (Ended{1, 0}));
  asking.await_end_of_output();
  EXPECT_NE(asking.err().find("baton.yaml:1"), std::string::npos) << asking.err();
  baton.await_log(log_lines::reload_failed);
}

// It may take for ever: the log and the clients that asked are told.
TEST_F(SlowReload, IsSpokenOf) {
  SlowFile file(baton.config_path());
  Process asking(ctl("reload"));
  file.await_reader();
  replace_file(baton.config_path(), with("limits: { requests_per_connection: 1 }\n"));
  Process asking_later(ctl("reload"));
  const std::regex told(R"(reload: files or names have been read for \d+ s; the configuration stays as it was)");
  baton.await_log(told);
  for (Process* one : {&asking, &asking_later}) {
    EXPECT_EQ(one->await_exit(), (Ended{1, 0}));
    one->await_end_of_output();
    EXPECT_TRUE(std::regex_search(one->err(), told)) << one->err();
  }
  EXPECT_NE(asking.err().find("still waiting"), std::string::npos) << asking.err();
  file.answer(good);
  baton.await_log(log_lines::reload_done);
  baton.await_log(log_lines::reload_done);
  EXPECT_EQ(client.get("/bytes/3").field("Connection"), "close") << "as the one that came later says";
}

TEST_F(SlowReload, GivesWayToAnUpgrade) {
  client.get("/bytes/1");
  SlowFile file(baton.config_path());
  Process asking(ctl("reload"));
  file.await_reader();
  replace_file(baton.config_path(), with("limits: { requests_per_connection: 2 }\n"));
  baton.upgrade();
  EXPECT_EQ(asking.await_exit(), (Ended{1, 0}));
  asking.await_end_of_output();
  EXPECT_NE(asking.err().find("an upgrade has begun"), std::string::npos) << asking.err();
  EXPECT_EQ(client.get("/bytes/2").field("Connection"), "close") << "the successor reads the file anew";
  EXPECT_EQ(reloads(), 0u);
  expect_one_instance(baton);
}

TEST_F(SlowReload, ComesAfterAnUpgradeThatFails) {
  begin_reload(with("limits: { requests_per_connection: 1 }\n"));
  replace_file(baton.binary_path(), "#!/bin/false\n", true);
  baton.failed_upgrade();
  baton.await_log(log_lines::reload_done);
  EXPECT_EQ(client.get("/bytes/2").field("Connection"), "close");
}

TEST_F(SlowReload, HoldsNoStopUp) {
  SlowFile file(baton.config_path());
  Process asking(ctl("reload"));
  file.await_reader();
  baton.signal(SIGTERM);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0})) << baton.log();
  EXPECT_EQ(paths_of_an_instance(baton), std::vector<std::string>{});
  EXPECT_EQ(asking.await_exit(), (Ended{1, 0}));
  asking.await_end_of_output();
  EXPECT_NE(asking.err().find("this process is stopping"), std::string::npos) << asking.err();
}

TEST(SlowStart, IsEndedByAStop) {
  const TempDir directory;
  const std::string path = directory / "baton.yaml";
  SlowFile file(path);
  Process starting(Command{{baton_binary(), "run", "-c", path}});
  file.await_reader();
  starting.signal(SIGTERM);
  EXPECT_EQ(starting.await_exit(), (Ended{-1, SIGTERM}));
}

// `slow_names` between Baton and its libraries: what it delays waits for a FIFO.
std::string preload(const TempDir& directory, const std::string& fifo) {
  // LD_PRELOAD is split at blanks, which the checkout's path may contain.
  std::filesystem::copy_file(SLOW_NAMES, directory / "slow_names.so");
  return "export LD_PRELOAD=" + directory / "slow_names.so" + " SLOW_NAMES=" + fifo;
}

TEST(SlowCertificates, KeepNobodyWaitingWhereTheyAreWatched) {
  if (!can_preload) GTEST_SKIP() << "a sanitizer wants to be loaded first";
  const TempDir files;
  Authority authority(files);
  const Certificate certificate = authority.issue({"localhost"});
  const Origin origin;
  const std::string fifo = files / "disk";
  Settings settings(origin.address());
  settings.tls = "certificates: [ " + certificate.yaml() + " ]";
  settings.more = "watch: true\n";
  settings.shell = preload(files, fifo) + " SLOW_OPEN=" + certificate.cert;
  Baton baton(settings);
  SlowFile disk(fifo);
  replace_file(certificate.cert, read_file(certificate.cert) + "\n");
  disk.await_reader();
  EXPECT_EQ(baton.readyz(), 200);
  baton.signal(SIGUSR1);
  baton.await_log(log_lines::logs_reopened);
  std::filesystem::remove(fifo);  // it is slow once
  disk.answer("x");
  baton.await_log(std::regex("certificates have changed: reloaded"));
  EXPECT_EQ(baton.readyz(), 200);
}

// The successor is the instance by then, and clients and operators have what they need.
TEST(SlowPidFile, KeepsNobodyWaitingInAnUpgrade) {
  if (!can_preload) GTEST_SKIP() << "a sanitizer wants to be loaded first";
  const Origin origin;
  const TempDir directory;
  const std::string fifo = directory / "disk";
  Settings settings(origin.address());
  settings.handoff = "step_timeout: 60s";
  settings.shell = preload(directory, fifo) + " SLOW_RENAME=baton.pid";
  Baton baton(settings);
  Client client = baton.connect();
  const std::string before = read_file(baton.pid_file_path());
  SlowFile disk(fifo);
  baton.begin_upgrade();
  disk.await_reader();
  EXPECT_EQ(baton.readyz(), 200);
  EXPECT_EQ(baton.number("generation"), 2);
  EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
  EXPECT_EQ(read_file(baton.pid_file_path()), before);
  std::filesystem::remove(fifo);
  disk.answer("x");
  baton.finish_upgrade();
}

// What is no file might never be opened, and would hold up every reload after it.
TEST(CertificatesThatAreNoFiles, AreRefused) {
  const TempDir files;
  Authority authority(files);
  const Certificate certificate = authority.issue({"localhost"});
  const std::string good = read_file(certificate.cert);
  const Origin origin;
  Settings settings(origin.address());
  settings.tls = "certificates: [ " + certificate.yaml() + " ]";
  Baton baton(settings);
  {
    SlowFile fifo(certificate.cert);
  }
  const Outcome check = run_baton({"check", "-c", baton.config_path()});
  EXPECT_EQ(check.code, 1);
  const std::regex refusal("baton.yaml:[0-9]+:[0-9]+: " + certificate.cert + ": not a regular file");
  EXPECT_TRUE(std::regex_search(check.err, refusal)) << check.err;
  baton.signal(SIGHUP);
  EXPECT_TRUE(std::regex_search(baton.await_log(log_lines::reload_failed), refusal)) << baton.log();
  replace_file(certificate.cert, good);
  baton.signal(SIGHUP);
  baton.await_log(log_lines::reload_done);
}

// Names take long in the same way.
TEST(SlowNames, KeepNobodyWaiting) {
  if (!can_preload) GTEST_SKIP() << "a sanitizer wants to be loaded first";
  const Origin origin;
  const TempDir directory;
  const std::string fifo = directory / "resolver";
  SlowFile resolver(fifo);
  Settings settings(origin.address());
  settings.shell = preload(directory, fifo);
  Baton baton(settings);
  Client client = baton.connect();
  const std::string address = origin.address().text();
  std::string yaml = read_file(baton.config_path());
  yaml.replace(yaml.find(address), address.size(), "slow.test:" + std::to_string(origin.address().port));
  replace_file(baton.config_path(), yaml);
  baton.signal(SIGHUP);
  resolver.await_reader();
  EXPECT_EQ(baton.readyz(), 200);
  EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
  baton.signal(SIGUSR1);
  baton.await_log(log_lines::logs_reopened);
  resolver.answer("x");
  baton.await_log(log_lines::reload_done);
  EXPECT_EQ(client.get("/bytes/3").body, pattern(3));
}

}  // namespace
}  // namespace baton::harness
