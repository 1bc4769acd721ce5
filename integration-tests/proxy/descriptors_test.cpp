// A process with few descriptors: newcomers wait in the queue rather than take what others need, and service resumes
// when there is room.
#include <gtest/gtest.h>

#include <filesystem>
#include <list>

#include "harness/aftermath.hpp"
#include "harness/baton.hpp"
#include "harness/certificates.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"
#include "harness/shortage.hpp"

namespace baton::harness {
namespace {

// Half of them are for connections: for sixteen clients with a server each, or for more without one.
constexpr unsigned descriptors = 64;
constexpr int clients_with_a_server = 16;
constexpr int servers_share = 6;
constexpr int idle_clients = 26;

const std::regex pauses_for_the_reserve("accepting pauses: the remaining descriptors are reserved");

class FewDescriptors : public testing::Test {
 protected:
  Settings with_limits(const std::string& limits) const {
    Settings settings(origin.address());
    settings.descriptors_max = descriptors;
    settings.limits = limits;
    settings.workers = 1;  // each keeps its own idle upstream connections
    return settings;
  }
  // More clients than fit connect and stay silent; some are accepted, the others wait.
  static std::list<Client> crowd(Baton& baton, const Address& to, const std::regex& pause) {
    std::list<Client> clients;
    for (unsigned i = 0; i < 4 * descriptors; ++i) clients.emplace_back(to);
    baton.await_log(pause);
    return clients;
  }
  static void expect_admin_answers(const Baton& baton) {
    for (const char* path : {"/healthz", "/readyz"}) {
      EXPECT_EQ(Client(unix_socket(baton.directory() / "admin.sock")).get(path).status(), 200) << path;
    }
    for (const char* command : {"status", "reload"}) {
      const Outcome outcome = run_baton({"ctl", command, "-c", baton.config_path()});
      EXPECT_EQ(outcome.code, 0) << outcome.err;
    }
  }

  Origin origin;
};

TEST_F(FewDescriptors, LimitTheConnectionsByThemselves) {
  Baton baton(with_limits(""));
  std::list<Client> clients;
  for (unsigned i = 0; i < descriptors; ++i) clients.emplace_back(baton.address()).send(get_request("/bytes/2"));
  // Each leaves when it has its answer, which makes room for a waiting one.
  for (; !clients.empty(); clients.pop_front()) EXPECT_EQ(clients.front().response().body, pattern(2));
  baton.await_log(log_lines::accepting_pauses);
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

// ── The reserve ───────────────────────────────────────────────────────────────────────────────────────────────────

constexpr int no_limit = 0;
constexpr int far_above_what_fits = 1000;

class Crowd : public FewDescriptors, public testing::WithParamInterface<int> {
 protected:
  Settings crowded() const {
    Settings settings = with_limits("connections: " + std::to_string(GetParam()));
    settings.tcp_binds = {loopback(free_port())};
    return settings;
  }
  // Everything works with a crowd at the listener, of which this many are accepted.
  void expect_all_goes_on(Baton& baton, const Address& to, int accepted) {
    Client first(to);
    EXPECT_EQ(first.get("/bytes/1").body, pattern(1));
    std::list<Client> clients = crowd(baton, to, pauses_for_the_reserve);
    baton.await_number("connections.total", accepted);
    for (int generation = 1; generation <= 2; ++generation) {
      expect_admin_answers(baton);
      EXPECT_EQ(first.get("/bytes/2").body, pattern(2));
      const std::string report = baton.upgrade();
      EXPECT_NE(report.find("moved=" + std::to_string(accepted) + " "), std::string::npos) << report;
      EXPECT_NE(report.find("refused=0,"), std::string::npos) << report;
    }
    EXPECT_EQ(first.get("/bytes/3").body, pattern(3));
    // Each that leaves makes room for a waiting one.
    for (; !clients.empty(); clients.pop_front()) EXPECT_EQ(clients.front().get("/bytes/4").body, pattern(4));
    EXPECT_EQ(baton.count_log_lines(std::regex("Too many open files|cannot be connected")), 0u) << baton.log();
    expect_one_instance(baton);
  }
};

TEST_P(Crowd, OfIdleClientsLeavesTheReserveAlone) {
  Baton baton(crowded());
  expect_all_goes_on(baton, baton.address(), idle_clients);
}

TEST_P(Crowd, OfTunnelsLeavesTheReserveAlone) {
  const Settings settings = crowded();
  Baton baton(settings);
  expect_all_goes_on(baton, settings.tcp_binds.front(), clients_with_a_server);
}

INSTANTIATE_TEST_SUITE_P(Limits, Crowd, testing::Values(no_limit, far_above_what_fits),
                         [](const auto& of) { return of.param == no_limit ? "None" : "FarAboveWhatFits"; });

// It has no server until its handshake is complete, and then it needs one.
TEST_F(FewDescriptors, AreCountedTwiceForATunnelInItsHandshake) {
  const TempDir directory;
  const Certificate certificate = Authority(directory).issue({"localhost"});
  const Address raw = loopback(free_port());
  Settings settings = with_limits("connections: 1000");
  settings.more_listeners = "  - { name: raw, protocol: tcp, upstream: web, bind: \"" + raw.text() +
                            "\", tls: { certificates: [ " + certificate.yaml() + " ] } }\n";
  Baton baton(settings);
  const std::list<Client> silent = crowd(baton, raw, pauses_for_the_reserve);
  EXPECT_EQ(baton.number("connections.total"), clients_with_a_server);
}

TEST_F(FewDescriptors, WithoutOneForItsServerARequestWaitsForIt) {
  Settings settings = with_limits("connections: 1000");
  settings.timeouts += ", connect: 60s";
  Baton baton(settings);
  std::list<Client> clients = crowd(baton, baton.address(), pauses_for_the_reserve);
  while (clients.size() > idle_clients) clients.pop_back();
  for (Client& one : clients) one.send(get_request("/held"));
  origin.gate().await_arrivals(servers_share);
  expect_admin_answers(baton);
  EXPECT_EQ(origin.requests().size(), static_cast<std::size_t>(servers_share));
  origin.gate().open();
  for (Client& one : clients) EXPECT_EQ(one.response().body, "held");
  EXPECT_EQ(baton.count_log_lines(std::regex("Too many open files|cannot be connected")), 0u) << baton.log();
}

TEST_F(FewDescriptors, ARequestThatWaitsMovesAndWaitsOnlyAsLongAsAConnectMayTake) {
  Settings settings = with_limits("connections: 1000");
  settings.binds = {loopback(free_port())};
  settings.handoff += ", finish_timeout: 0s";
  const std::string timeouts = settings.timeouts;
  settings.timeouts = timeouts + ", connect: 60s";
  Baton baton(settings);
  std::list<Client> clients = crowd(baton, baton.address(), pauses_for_the_reserve);
  while (clients.size() > idle_clients) clients.pop_back();
  for (Client& one : clients) one.send(get_request("/held"));
  origin.gate().await_arrivals(servers_share);
  const std::string report = baton.upgrade();
  EXPECT_NE(report.find("moved=" + std::to_string(idle_clients) + " "), std::string::npos) << report;
  settings.timeouts = timeouts + ", connect: 50ms";
  baton.reload(settings);
  baton.await_log(std::regex("cannot be connected: Too many open files"));
  baton.await_number("connections.exchange", servers_share);
  origin.gate().open();
  int held = 0;
  int refused = 0;
  for (Client& one : clients) ++(one.response().status() == 200 ? held : refused);
  EXPECT_EQ(held, servers_share);
  EXPECT_EQ(refused, idle_clients - servers_share);
}

// ── None at all ───────────────────────────────────────────────────────────────────────────────────────────────────

// The limit was lowered after the process started, so the kernel refuses what the count would allow.
constexpr std::size_t descriptors_left = 8;
const std::regex pauses_for_the_kernel("accepting pauses: Too many open files");

TEST_F(FewDescriptors, WhenAllAreUsedAcceptingPausesAndRecovers) {
  Baton baton(with_limits(""));
  const Shortage shortage = Shortage::of_descriptors(baton, descriptors_left);
  std::list<Client> clients = crowd(baton, baton.address(), pauses_for_the_kernel);
  while (clients.size() > descriptors_left / 2) clients.pop_front();  // the accepted ones
  for (Client& one : clients) EXPECT_EQ(one.get("/bytes/2").body, pattern(2));
  EXPECT_EQ(baton.readyz(), 200);
}

TEST_F(FewDescriptors, WhenAllAreUsedAnUpgradeFailsAndTheNextWorks) {
  Baton baton(with_limits(""));
  std::list<Client> clients;
  {
    const Shortage shortage = Shortage::of_descriptors(baton, descriptors_left);
    clients = crowd(baton, baton.address(), pauses_for_the_kernel);
    baton.failed_upgrade();
    while (clients.size() > 2) clients.pop_back();  // the waiting ones, and some accepted ones
  }
  baton.await_number("connections.total", 2);
  EXPECT_NE(baton.upgrade().find("moved=2 "), std::string::npos) << baton.log();
  for (Client& one : clients) EXPECT_EQ(one.get("/bytes/2").body, pattern(2));
}

TEST_F(FewDescriptors, AConnectThatNeedsOneGetsThatOfAnIdleUpstreamConnection) {
  constexpr int idle_of_each = 5;
  Origin other;
  Settings settings = with_limits("connections: 1000");
  settings.servers.push_back({other.address()});  // every second request goes there
  Baton baton(settings);
  std::list<Client> clients;
  for (int i = 0; i < 2 * idle_of_each; ++i) clients.emplace_back(baton.address()).send(get_request("/held"));
  for (Origin* one : {&origin, &other}) one->gate().await_arrivals(idle_of_each);
  for (Origin* one : {&origin, &other}) one->gate().open();
  for (Client& client : clients) EXPECT_EQ(client.response().body, "held");
  other.close_idle_connections();
  baton.await_number("upstream_idle", idle_of_each);
  const Shortage shortage = Shortage::of_descriptors(baton, descriptors_left);
  const std::list<Client> silent = crowd(baton, baton.address(), pauses_for_the_kernel);
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
  baton.begin_upgrade();  // its report cannot be read
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  baton.follow_pid_file();
  EXPECT_NE(baton.pid(), before);
  expect_nothing_of_ours_on_standard_descriptors(baton.pid());
  for (Client& client : clients) EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
}

}  // namespace
}  // namespace baton::harness
