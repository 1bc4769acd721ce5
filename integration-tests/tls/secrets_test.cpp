// Keys stay where they are needed: not in logs, not on disk, out of reach of other programs of the same user, and not
// in memory once the connection has ended.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <algorithm>
#include <fstream>
#include <list>
#include <set>
#include <sstream>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"
#include "harness/tls_client.hpp"

namespace baton::harness {
namespace {

namespace fs = std::filesystem;

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    constexpr const char* digits = "0123456789abcdef";
    text += {digits[static_cast<unsigned char>(c) >> 4], digits[c & 15]};
  }
  return text;
}

// The raw bytes, or their forms in SSLKEYLOGFILE and debuggers.
bool holds(const std::string& text, const std::string& secret) {
  std::string lower = text;
  for (char& c : lower) c = static_cast<char>(std::tolower(c));
  return text.find(secret) != std::string::npos || lower.find(hex(secret)) != std::string::npos;
}

class Secrets : public testing::TestWithParam<int> {
 protected:
  Settings settings() const {
    Settings settings(origin.address());
    settings.tls = "certificates: [ " + site.yaml() + " ]";
    settings.log = "level: debug, access: { path: " + logs / "access.log" + " }";
    return settings;
  }
  // The middle of the key's PEM text, which no other file contains.
  std::string private_key_text() const {
    const std::string pem = read_file(site.key);
    return pem.substr(pem.find('\n') + 40, 60);
  }

  TempDir directory;
  TempDir logs;
  Authority authority{directory};
  const Certificate site = authority.issue({"localhost"});
  Origin origin;
};

TEST_P(Secrets, AreNeitherInLogsNorOnDisk) {
  Baton baton(settings());
  std::vector<std::string> secrets{private_key_text()};
  std::list<TlsClient> clients;
  for (int round = 0; round < 3; ++round) {
    TlsClient& client = clients.emplace_back(baton.address(), TlsOptions{GetParam()});
    secrets.push_back(client.secret());
    ASSERT_GE(client.secret().size(), 32u);
    EXPECT_EQ(client.get("/bytes/3").body, pattern(3));
    TlsClient broken(baton.address(), {GetParam()});
    secrets.push_back(broken.secret());
    broken.send_raw(std::string("\x17\3\3\0\x20", 5) + std::string(32, 'x'));
    broken.await_alert();
    baton.upgrade();
  }
  std::string written = baton.log();
  for (const std::string& place : {baton.directory().path(), logs.path()})
    for (const auto& file : fs::recursive_directory_iterator(place))
      if (file.is_regular_file()) written += read_file(file.path());
  EXPECT_TRUE(holds(written, "serving: ")) << "the log is there";
  EXPECT_TRUE(holds(written, "GET /bytes/3")) << "and so is the access log";
  for (const std::string& secret : secrets) EXPECT_FALSE(holds(written, secret));
  std::set<std::string> names;
  for (const auto& file : fs::directory_iterator(baton.directory().path())) names.insert(file.path().filename());
  EXPECT_EQ(names, (std::set<std::string>{"admin.sock", "baton.pid", "baton.yaml", "handoff.sock", "handoff.sock.lock"}));
}

// Reads all writable memory of the process, as root may.
std::string memory_of(pid_t pid) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps"),
      memory("/proc/" + std::to_string(pid) + "/mem", std::ios::binary);
  std::string all;
  for (std::string line; std::getline(maps, line);) {
    std::uint64_t begin = 0, end = 0;
    char dash = 0;
    std::string rights;
    std::istringstream(line) >> std::hex >> begin >> dash >> end >> rights;
    if (!rights.starts_with("rw")) continue;
    std::string piece(end - begin, '\0');
    memory.clear();
    memory.seekg(static_cast<std::streamoff>(begin));
    if (memory.read(piece.data(), static_cast<std::streamsize>(piece.size()))) all += piece;
  }
  return all;
}

TEST_P(Secrets, AreWipedWhenTheirConnectionIsGone) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may look";
  Baton baton(settings());
  std::vector<std::string> secrets;
  {
    TlsClient idle(baton.address(), {GetParam()}), moved(baton.address(), {GetParam()});
    secrets = {idle.secret(), moved.secret()};
    EXPECT_EQ(moved.get("/bytes/3").body, pattern(3));
    if (GetParam() == TLS1_3_VERSION) {
      EXPECT_TRUE(holds(memory_of(baton.pid()), moved.secret())) << "that is where it would be found";
    }
    baton.upgrade();
    EXPECT_EQ(moved.get("/bytes/3").body, pattern(3));
    baton.upgrade();
    EXPECT_EQ(moved.get("/bytes/3").body, pattern(3));
    TlsClient brief(baton.address(), {GetParam()});
    EXPECT_EQ(brief.get("/bytes/3").body, pattern(3));
    secrets.push_back(brief.secret());
  }
  baton.await_number("connections.total", 0);
  // A connection leaves the count when it ends, and is freed shortly afterwards.
  await(
      [&] {
        const std::string memory = memory_of(baton.pid());
        if (memory.size() <= 100'000u) throw Failure("its memory cannot be read");
        return std::ranges::none_of(secrets, [&](const std::string& secret) { return holds(memory, secret); });
      },
      "the secrets to be wiped");
}

INSTANTIATE_TEST_SUITE_P(Versions, Secrets, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& one) { return one.param == TLS1_2_VERSION ? "Tls12" : "Tls13"; });

// The kernel makes root the owner of a non-dumpable process's /proc files, whichever user runs it.
bool is_dumpable(pid_t pid) {
  struct stat status{};
  if (::stat(("/proc/" + std::to_string(pid) + "/mem").c_str(), &status) != 0) throw Failure("no such process");
  return status.st_uid != 0;
}

constexpr const char* nobody = "65534";

// Baton as an ordinary user's process, unlike under root.
class ProcessOfAUser : public testing::Test {
 protected:
  void start(std::vector<std::string> options = {}, const std::string& more = "") {
    Settings settings(origin.address());
    settings.handoff += more;
    settings.tls = "certificates: [ " + site.yaml() + " ]";
    settings.binds = {address};
    replace_file(config, to_yaml(settings, directory));
    for (const auto& file : fs::directory_iterator(directory.path())) make_theirs(file.path());
    make_theirs(directory.path());
    options.insert(options.begin(), {baton_binary_for_everyone(), "run", "-c", config});
    process = std::make_unique<Process>(as_nobody(std::move(options)));
    process->await_line(Process::Stream::err, std::regex("serving: "));
    pid = process->pid();
  }
  static void make_theirs(const fs::path& path) {
    ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
    ASSERT_EQ(::chmod(path.c_str(), fs::is_directory(path) ? 0755 : 0644), 0);
  }
  static Command as_nobody(std::vector<std::string> argv) {
    argv.insert(argv.begin(), {"setpriv", "--reuid", nobody, "--regid", nobody, "--clear-groups", "--inh-caps=-all"});
    return {std::move(argv)};
  }
  bool can_be_read() const {
    return run(as_nobody({"head", "-c1", "/proc/" + std::to_string(pid) + "/environ"})).code == 0;
  }
  void upgrade() {
    ::kill(pid, SIGUSR2);
    process->await_line(Process::Stream::err, log_lines::upgrade_report);
    EXPECT_EQ(await_exit(pid), (Ended{0, 0}));
    pid = std::atoi(read_file(directory / "baton.pid").c_str());
  }
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "root is needed to become somebody else";
  }

  TempDir directory;
  Authority authority{directory};
  const Certificate site = authority.issue({"localhost"});
  const std::string config = directory / "baton.yaml";
  const Address address = loopback(free_port());
  Origin origin;
  std::unique_ptr<Process> process;
  pid_t pid = -1;
};

// It sees all keys that its worker has.
TEST_F(ProcessOfAUser, HasAKeeperThatCannotBeReadEither) {
  start({"--supervise"}, ", survive: all");
  TlsClient client(address);
  EXPECT_EQ(client.get("/bytes/3").body, pattern(3));
  const std::vector<pid_t> workers = children_of(process->pid());
  ASSERT_EQ(workers.size(), 1u);
  const std::vector<pid_t> keepers = children_of(workers.front());
  ASSERT_EQ(keepers.size(), 1u);
  EXPECT_FALSE(is_dumpable(keepers.front()));
  await_rest(workers.front());
  ::kill(workers.front(), SIGKILL);
  process->await_line(Process::Stream::err, std::regex("1 connections go on, 0 were lost"));
  EXPECT_EQ(client.get("/bytes/3").body, pattern(3));
  process->signal(SIGTERM);
  EXPECT_EQ(process->await_exit(), (Ended{0, 0})) << process->err();
}

TEST_F(ProcessOfAUser, CannotBeReadByOthersOfThatUserNorDumped) {
  Process sleeper(as_nobody({"sleep", "60"}));
  await([&] { return is_dumpable(sleeper.pid()); }, "an ordinary process, which is readable");
  start();
  TlsClient client(address);
  for (int upgrades = 0; upgrades < 2; ++upgrades) {
    EXPECT_FALSE(is_dumpable(pid));
    EXPECT_FALSE(can_be_read());
    upgrade();
    EXPECT_EQ(client.get("/bytes/3").body, pattern(3));
  }
}

TEST_F(ProcessOfAUser, CannotBeReadWithoutTlsInItsConfigurationEither) {
  start();
  TlsClient client(address);
  EXPECT_EQ(client.get("/bytes/3").body, pattern(3));
  std::string yaml = read_file(config);
  const auto from = yaml.find("    tls: {");
  yaml.erase(from, yaml.find('\n', from) + 1 - from);
  replace_file(config, yaml);
  make_theirs(config);
  upgrade();
  EXPECT_EQ(client.get("/bytes/3").body, pattern(3)) << "it has its keys with it";
  EXPECT_FALSE(is_dumpable(pid));
}

}  // namespace
}  // namespace baton::harness
