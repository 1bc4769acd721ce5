// Upgrades while the user's descriptors that are in flight between processes have run out.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <list>
#include <memory>
#include <utility>

#include "harness/aftermath.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"
#include "harness/strace.hpp"

namespace baton::harness {
namespace {

// As Baton's user, keeps so many descriptors between two sockets that any process with that limit, or a lower one, can
// send no more (ETOOMANYREFS). Root always can.
class CrowdedUser {
 public:
  explicit CrowdedUser(rlim_t descriptors_max) {
    int full[2];
    if (::pipe2(full, O_CLOEXEC) != 0) throw Failure("no pipe");
    const Fd reading(full[0]);
    Fd writing(full[1]);
    child_ = ::fork();
    if (child_ == 0) crowd(writing.get(), descriptors_max);
    writing.close();
    char done = 0;
    if (::read(reading.get(), &done, 1) != 1) throw Failure("the user's descriptors under way could not be used up");
  }
  ~CrowdedUser() { end(); }
  void end() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(std::exchange(child_, 0), nullptr, 0);
  }

 private:
  // In the child of a threaded process: system calls only.
  [[noreturn]] static void crowd(int full, rlim_t descriptors_max) {
    constexpr int at_once = 250;
    constexpr long nobody = 65534;
    const rlimit limit{descriptors_max, descriptors_max};
    int ends[2];
    int copies[at_once];
    for (int& copy : copies) copy = full;
    if (::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0) ::_exit(1);
    if (::geteuid() == 0 && ::syscall(SYS_setresuid, nobody, nobody, nobody) != 0) ::_exit(1);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    for (;;) {
      char byte = 0;
      iovec piece{&byte, 1};
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof copies)] = {};
      msghdr message{};
      message.msg_iov = &piece;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr& rights = *CMSG_FIRSTHDR(&message);
      rights.cmsg_level = SOL_SOCKET;
      rights.cmsg_type = SCM_RIGHTS;
      rights.cmsg_len = CMSG_LEN(sizeof copies);
      std::memcpy(CMSG_DATA(&rights), copies, sizeof copies);
      if (::sendmsg(ends[0], &message, MSG_DONTWAIT) >= 0) continue;
      if (errno != ETOOMANYREFS) ::_exit(1);
      (void)!::write(full, "", 1);
      for (;;) ::pause();
    }
  }

  pid_t child_ = 0;
};

class TooManyUnderWay : public testing::Test {
 protected:
  static constexpr unsigned descriptors = 256;
  static constexpr int idle_clients = 20, held_clients = 40;

  explicit TooManyUnderWay(const std::string& step_timeout = "15s") : baton(unprivileged(origin, step_timeout)) {}

  static Settings unprivileged(const Origin& origin, const std::string& step_timeout) {
    Settings settings(origin.address());
    settings.own_binary = true;
    settings.workers = 1;
    settings.unprivileged = true;
    settings.descriptors_max = descriptors;
    settings.limits = "connections: 100";
    settings.handoff = "ready_timeout: 15s, finish_timeout: 15s, step_timeout: " + step_timeout;
    return settings;
  }
  void SetUp() override {
    if (!can_attach()) GTEST_SKIP() << "strace is not installed, or may not attach here";
    for (int i = 0; i < idle_clients; ++i) idle.emplace_back(baton.address()).get("/bytes/1");
    for (int i = 0; i < held_clients; ++i) held.emplace_back(baton.address()).send(get_request("/held"));
    origin.gate().await_arrivals(held_clients);
  }

  // Everything but the held request has moved; then the user's descriptors run out.
  void begin_and_crowd() {
    const std::string pid = std::to_string(baton.pid());
    tracer = std::make_unique<Process>(
        Command{{"strace", "-f", "-b", "execve", "-e", "trace=sendmsg", "-o", trace, "-p", pid}});
    tracer->await_line(Process::Stream::err, std::regex("attached"));
    baton.begin_upgrade();
    baton.await_number("connections.total", held_clients);
    for (Client& client : idle) EXPECT_EQ(client.get("/bytes/1").body, pattern(1)) << "by the successor";
    crowd = std::make_unique<CrowdedUser>(descriptors);
    origin.gate().open();
    for (Client& client : held) EXPECT_EQ(client.response().body, "held");
    await([this] { return read_file(trace).find("ETOOMANYREFS") != std::string::npos; }, "an Offer to be refused");
  }
  void expect_all_clients_live() {
    for (Client& client : idle) EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
    for (Client& client : held) EXPECT_EQ(client.get("/bytes/3").body, pattern(3));
  }

  Origin origin;
  Baton baton;
  const TempDir traces;
  const std::string trace = traces / "trace";
  std::unique_ptr<Process> tracer;
  std::unique_ptr<CrowdedUser> crowd;
  std::list<Client> idle, held;
};

TEST_F(TooManyUnderWay, AreWaitedFor) {
  begin_and_crowd();
  crowd->end();
  EXPECT_NE(baton.finish_upgrade().find("moved=60 "), std::string::npos) << baton.log();
  expect_all_clients_live();
  expect_one_instance(baton);
  baton.upgrade();
  expect_all_clients_live();
  expect_one_instance(baton);
}

class TooManyUnderWayForTooLong : public TooManyUnderWay {
 protected:
  TooManyUnderWayForTooLong() : TooManyUnderWay("2s") {}
};

TEST_F(TooManyUnderWayForTooLong, EndTheUpgradeAndNothingElse) {
  begin_and_crowd();
  const std::string line = baton.await_log(log_lines::upgrade_failed);
  EXPECT_NE(line.find("could not be sent in time"), std::string::npos) << line;
  EXPECT_NE(line.find("moved=20 "), std::string::npos) << line;
  crowd->end();
  // The successor ends cleanly what it had adopted.
  baton.await_log(std::regex("20 connections are served here to their end"));
  for (Client& client : idle) {
    EXPECT_EQ(client.get("/bytes/4").field("Connection"), "close");
    client.expect_fin();
  }
  idle.clear();
  expect_one_instance(baton);
  expect_all_clients_live();
  end_tracing(baton.pid());
  baton.upgrade();
  expect_all_clients_live();
  expect_one_instance(baton);
}

}  // namespace
}  // namespace baton::harness
