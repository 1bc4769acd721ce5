// A process that may open few files: it lets clients wait in the queue, and goes on when there is room.
#include <gtest/gtest.h>

#include <filesystem>
#include <list>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

constexpr unsigned descriptors = 64;

class FewDescriptors : public testing::Test {
 protected:
  Settings with_limits(const std::string& limits) const {
    Settings settings(origin.address());
    settings.descriptors_max = descriptors;
    settings.limits = limits;
    settings.workers = 1;  // each keeps its own idle upstream connections
    return settings;
  }
  // More than fit connect and are silent; some are accepted, the others wait.
  static std::list<Client> exhaust(Baton& baton) {
    std::list<Client> clients;
    for (unsigned i = 0; i < 2 * descriptors; ++i) clients.emplace_back(baton.address());
    baton.await_log(std::regex("accepting pauses: Too many open files"));
    return clients;
  }

  Origin origin;
};

TEST_F(FewDescriptors, LimitTheConnectionsByThemselves) {
  Baton baton(with_limits(""));
  std::list<Client> clients;
  for (unsigned i = 0; i < descriptors; ++i) clients.emplace_back(baton.address()).send(get_request("/bytes/2"));
  // Each leaves when it has its answer, and so makes room for one that waits.
  for (; !clients.empty(); clients.pop_front()) EXPECT_EQ(clients.front().response().body, pattern(2));
  EXPECT_GE(baton.count_log_lines(log_lines::accepting_pauses), 1u) << baton.log();
  EXPECT_EQ(baton.number("accepted_total"), descriptors);
}

TEST_F(FewDescriptors, MoveLikeMany) {
  Baton baton(with_limits(""));
  std::list<Client> clients;
  for (int i = 0; i < 8; ++i) clients.emplace_back(baton.address()).get("/bytes/1");
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(baton.upgrade().find("moved=8 "), std::string::npos);
    for (Client& one : clients) EXPECT_EQ(one.get("/bytes/2").body, pattern(2));
  }
}

TEST_F(FewDescriptors, WhenAllAreUsedAcceptingPausesAndRecovers) {
  Baton baton(with_limits("connections: 1000"));
  std::list<Client> clients = exhaust(baton);
  while (clients.size() > 10) clients.pop_front();  // those that were accepted
  for (Client& one : clients) EXPECT_EQ(one.get("/bytes/2").body, pattern(2));
  EXPECT_EQ(baton.readyz(), 200);
}

TEST_F(FewDescriptors, WhenAllAreUsedAnUpgradeFailsAndTheNextWorks) {
  Baton baton(with_limits("connections: 1000"));
  std::list<Client> clients = exhaust(baton);
  baton.failed_upgrade();
  while (clients.size() > 10) clients.pop_back();  // those that wait, and some that were accepted
  baton.await_number("connections.total", 10);
  EXPECT_NE(baton.upgrade().find("moved=10 "), std::string::npos) << baton.log();
  for (Client& one : clients) EXPECT_EQ(one.get("/bytes/2").body, pattern(2));
}

TEST_F(FewDescriptors, AConnectThatNeedsOneGetsThatOfAnIdleUpstreamConnection) {
  constexpr int idle_of_each = 5;
  Origin other;
  Settings settings = with_limits("connections: 1000");
  settings.servers.push_back({other.address()});  // every second request is for it
  Baton baton(settings);
  std::list<Client> clients;
  for (int i = 0; i < 2 * idle_of_each; ++i) clients.emplace_back(baton.address()).send(get_request("/held"));
  for (Origin* one : {&origin, &other}) one->gate().await_arrivals(idle_of_each);
  for (Origin* one : {&origin, &other}) one->gate().open();
  for (Client& client : clients) EXPECT_EQ(client.response().body, "held");
  other.close_idle_connections();
  baton.await_number("upstream_idle", idle_of_each);
  // Whoever asked for that is gone too: a descriptor that comes free later would do instead of an idle connection's.
  Client last(unix_socket(baton.directory() / "admin.sock"));
  last.get("/healthz");
  last.half_close();
  last.expect_fin();

  const std::list<Client> silent = exhaust(baton);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(clients.front().get("/bytes/2").body, pattern(2));
  EXPECT_EQ(other.accepted(), idle_of_each + 1u) << "it has had to be connected anew";
  EXPECT_EQ(baton.count_log_lines(std::regex("cannot be connected")), 0u) << baton.log();
  origin.await_open_connections(idle_of_each - 1);
}

// ── Standard descriptors ──────────────────────────────────────────────────────────────────────────────────────────

void expect_nothing_of_ours_on_standard_descriptors(pid_t pid) {
  for (const char* number : {"0", "1", "2"}) {
    const std::string descriptor = "/proc/" + std::to_string(pid) + "/fd/" + number;
    std::error_code closed;
    EXPECT_EQ(std::filesystem::read_symlink(descriptor, closed).string(), "/dev/null") << descriptor;
  }
}

TEST(StandardDescriptors, ThatWereClosedAreNoPlaceForClients) {
  Origin origin;
  Settings settings(origin.address());
  settings.shell = "exec <&- >&- 2>&-";
  Baton baton(settings);
  std::list<Client> clients;
  for (int i = 0; i < 5; ++i) clients.emplace_back(baton.address()).get("/bytes/1");
  expect_nothing_of_ours_on_standard_descriptors(baton.pid());
  const pid_t before = baton.pid();
  baton.begin_upgrade();  // whose report nobody can read
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  baton.follow_pid_file();
  EXPECT_NE(baton.pid(), before);
  expect_nothing_of_ours_on_standard_descriptors(baton.pid());
  for (Client& client : clients) EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
}

}  // namespace
}  // namespace baton::harness
