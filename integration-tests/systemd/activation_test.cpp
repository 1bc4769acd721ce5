// Listening sockets that systemd opens and passes to the program: they are served, survive reloads and upgrades, and
// stay systemd's.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <future>

#include "harness/aftermath.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

const std::regex passed_and_closed{"passed by the service manager, and closed"};

// How a shell starts the program through another one.
std::string by_way_of(const std::string& launcher) { return "exec " + launcher + " -- \"$0\" \"$@\""; }
std::string launcher(const std::string& arguments) { return by_way_of(in_shell(LAUNCHER) + " " + arguments); }

// The sockets among the descriptors that would survive an exec.
int sockets_open_at_exec(pid_t pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(process + "/fd")) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry.path(), gone);
    if (!target.starts_with("socket:")) continue;
    const std::string info = read_file(process + "/fdinfo/" + entry.path().filename().string());
    const std::size_t at = info.find("flags:");
    if (at == std::string::npos) continue;
    count += (std::stoul(info.substr(at + 6), nullptr, 8) & O_CLOEXEC) == 0 ? 1 : 0;
  }
  return count;
}

class Activation : public testing::Test {
 protected:
  Settings settings() const {
    Settings settings(origin.address());
    settings.binds = {loopback(free_port())};
    return settings;
  }
  static void expect_service(const Address& address) { EXPECT_EQ(Client(address).get("/bytes/3").body, pattern(3)); }

  Origin origin;
  TempDir directory;
};

TEST_F(Activation, PassedSocketsAreServedThroughReloadsAndUpgradesAndTheirPathsStay) {
  Settings settings = this->settings();
  const Address path = unix_socket(directory / "web.sock");
  settings.binds.push_back(path);
  settings.shell = launcher("--names web.socket:path.socket tcp:" + settings.binds[0].text() + " " + path.text());
  Baton baton(settings);
  const pid_t group = baton.pid();
  Client client = baton.connect();
  const auto expect_both = [&] {
    EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
    expect_service(settings.binds[0]);
    expect_service(path);
    EXPECT_EQ(sockets_open_at_exec(baton.pid()), 0);
  };
  expect_both();
  EXPECT_EQ(baton.count_log_lines(passed_and_closed), 0u) << baton.log();
  for (int i = 0; i < 2; ++i) {
    baton.signal(SIGHUP);
    baton.await_log(log_lines::reload_done);
    expect_both();
    baton.upgrade();
    expect_both();
  }
  client.close();
  baton.signal(SIGTERM);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  EXPECT_TRUE(std::filesystem::exists(path.unix_path)) << "it is systemd's, which goes on listening there";
  expect_nothing_left(baton, group);
}

TEST_F(Activation, AListenerThatAReloadTakesAwayLeavesThePathOfItsSocket) {
  Settings settings = this->settings();
  const Address path = unix_socket(directory / "web.sock");
  settings.binds.push_back(path);
  settings.shell = launcher("tcp:" + settings.binds[0].text() + " " + path.text());
  Baton baton(settings);
  std::string config = read_file(baton.config_path());
  const std::string second = ", \"" + path.text() + "\"";
  config.erase(config.find(second), second.size());
  replace_file(baton.config_path(), config);
  baton.signal(SIGHUP);
  baton.await_log(log_lines::reload_done);
  EXPECT_TRUE(std::filesystem::exists(path.unix_path));
  expect_service(settings.binds[0]);
}

TEST_F(Activation, OneSocketOfBothFamiliesIsAListenerOnEveryAddress) {
  Settings settings = this->settings();
  const std::uint16_t port = settings.binds[0].port;
  const std::string every_address = "\":" + std::to_string(port) + "\"";
  settings.topology = "listeners: [ { name: web, bind: " + every_address + ", protocol: http } ]\n" +
                      "upstreams: [ { name: web, servers: [ { address: \"" + origin.address().text() + "\" } ] } ]\n";
  settings.shell = launcher("both:" + std::to_string(port));
  Baton baton(settings);
  const auto expect_both = [&] {
    expect_service(loopback(port));
    expect_service(loopback_v6(port));
  };
  expect_both();
  baton.signal(SIGHUP);
  baton.await_log(log_lines::reload_done);
  expect_both();
  baton.upgrade();
  expect_both();
}

TEST_F(Activation, WhatNoListenerAsksForIsNamedAndClosed) {
  Settings settings = this->settings();
  const Address other = loopback(free_port());
  settings.shell = launcher("--names a.socket:other.socket tcp:" + settings.binds[0].text() + " tcp:" + other.text());
  Baton baton(settings);
  const std::string line = baton.await_log(passed_and_closed);
  EXPECT_NE(line.find("no listener has the address: " + other.text() + " (other.socket)"), std::string::npos) << line;
  EXPECT_FALSE(is_listening(other));
  expect_service(settings.binds[0]);
}

TEST_F(Activation, WhatCannotBeAcceptedOnIsRefusedInWords) {
  Settings settings = this->settings();
  const std::string elsewhere = loopback(free_port()).text();
  settings.shell = launcher("--names datagrams:file:silent udp:" + elsewhere + " file:/dev/null bound:" + elsewhere);
  Baton baton(settings);
  for (const std::string refusal :
       {R"(descriptor 3 \(datagrams\) is not a stream socket)", R"(descriptor 4 \(file\) is not a socket)",
        R"(descriptor 5 \(silent\) does not listen)"}) {
    EXPECT_EQ(baton.count_log_lines(std::regex("passed by the service manager, and closed: " + refusal)), 1u)
        << refusal << "\n" << baton.log();
  }
  expect_service(settings.binds[0]);
}

TEST_F(Activation, WhatIsMeantForAnotherProcessIsLeftAlone) {
  Settings settings = this->settings();
  const Address other = loopback(free_port());
  settings.shell = launcher("--pid 1 tcp:" + other.text());
  Baton baton(settings);
  EXPECT_EQ(baton.count_log_lines(passed_and_closed), 0u) << baton.log();
  EXPECT_TRUE(is_listening(other));
  expect_service(settings.binds[0]);
}

TEST_F(Activation, AnAddressThatIsTakenByAPassedSocketIsExplained) {
  Settings settings = this->settings();
  const std::uint16_t port = settings.binds[0].port;
  settings.shell = launcher("--names wide.socket both:" + std::to_string(port));
  try {
    const Baton baton(settings);
    FAIL() << "it started";
  } catch (const Failure& failure) {
    const std::string text = failure.what();
    EXPECT_NE(text.find("the service manager passed others: [::]:" + std::to_string(port) + " (wide.socket)"), std::string::npos)
        << text;
  }
}

// The real systemd-socket-activate: it waits for the first connection, and starts the program with that in the queue.
TEST_F(Activation, SystemdSocketActivateStartsItWithTheFirstConnection) {
  if (run({{"sh", "-c", "command -v systemd-socket-activate"}}).code != 0) {
    GTEST_SKIP() << "systemd-socket-activate is not installed (Debian's package systemd)";
  }
  Settings settings = this->settings();
  const Address address = settings.binds[0];
  settings.shell = by_way_of("systemd-socket-activate -l " + address.text());
  auto first = std::async(std::launch::async, [&] {
    std::optional<Client> client;
    await(
        [&] {
          try {
            client.emplace(address);
          } catch (const Failure&) {
            return false;
          }
          return true;
        },
        "systemd-socket-activate to listen");
    return client->get("/bytes/5").body;
  });
  Baton baton(settings);
  EXPECT_EQ(first.get(), pattern(5));
  EXPECT_EQ(baton.count_log_lines(passed_and_closed), 0u) << baton.log();
  baton.upgrade();
  expect_service(address);
}

}  // namespace
}  // namespace baton::harness
