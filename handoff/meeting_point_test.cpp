// A process that connects to the path reaches the current listener, whatever was there before, and only the owner of a
// path removes it.
#include "handoff/meeting_point.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "handoff/testing/channel.hpp"

namespace baton::handoff {
namespace {

using namespace test;

constexpr std::chrono::milliseconds patience{20'000};

class MeetingPointTest : public testing::Test {
 protected:
  ~MeetingPointTest() override { std::filesystem::remove_all(folder); }

  static std::filesystem::path new_folder() {
    char name[] = "/tmp/baton-meeting-XXXXXX";
    return ::mkdtemp(name);
  }
  static MeetingPoint opened(const std::string& path) {
    auto point = MeetingPoint::open(path);
    EXPECT_TRUE(point) << point.error().text;
    return point ? std::move(*point) : MeetingPoint();
  }
  static UniqueFd accepted(const MeetingPoint& point) {
    pollfd waiting{point.descriptor(), POLLIN, 0};
    EXPECT_EQ(::poll(&waiting, 1, static_cast<int>(patience.count())), 1);
    return UniqueFd(::accept4(point.descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  // Whether a connection to `path` arrives at `point`.
  static bool leads_to(const std::string& path, const MeetingPoint& point) {
    auto one = connect_to(path, patience);
    if (!one) return false;
    const UniqueFd other = accepted(point);
    char byte = 0;
    return ::write(one->get(), "x", 1) == 1 && ::read(other.get(), &byte, 1) == 1 && byte == 'x';
  }
  static Fault fault_at(const std::string& path) {
    const auto socket = connect_to(path, patience);
    EXPECT_FALSE(socket);
    return socket ? Fault::refused : socket.error().fault;
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
  }

  const std::filesystem::path folder = new_folder();
  const std::string path = folder / "handoff.sock";
};

TEST_F(MeetingPointTest, LeadsWhoConnectsToWhoListens) {
  const MeetingPoint point = opened(path);
  EXPECT_TRUE(leads_to(path, point));
  EXPECT_EQ(files(), 1u) << "nothing but the path is left";
}

TEST_F(MeetingPointTest, IsForItsOwnUserAlone) {
  const MeetingPoint point = opened(path);
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
}

TEST_F(MeetingPointTest, KnowsWhoIsAtTheOtherEnd) {
  const MeetingPoint point = opened(path);
  const auto one = connect_to(path, patience);
  ASSERT_TRUE(one);
  const auto peer = peer_of(accepted(point).get());
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->pid, ::getpid());
  EXPECT_EQ(peer->user, ::geteuid());
  EXPECT_EQ(peer->text(), "PID " + std::to_string(::getpid()) + " (user " + std::to_string(::geteuid()) + ")");
}

TEST_F(MeetingPointTest, TrustsItsOwnUserAndRoot) {
  EXPECT_TRUE(is_trusted({1, ::geteuid()}));
  EXPECT_TRUE(is_trusted({1, 0}));
  EXPECT_FALSE(is_trusted({1, ::geteuid() + 1}));
}

TEST_F(MeetingPointTest, NobodyListensWhereThereIsNoFileOrAStaleOne) {
  EXPECT_EQ(fault_at(path), Fault::closed);
  EXPECT_EQ(fault_at(folder / "no_such_folder/handoff.sock"), Fault::closed);
  opened(path);       // and closed without withdraw, as by a crash
  ASSERT_TRUE(std::filesystem::exists(path));
  EXPECT_EQ(fault_at(path), Fault::closed);
}

TEST_F(MeetingPointTest, ReplacesASocketThatWasLeftBehindAlsoWhereSomebodyHoldsItYet) {
  const MeetingPoint before = opened(path);
  const MeetingPoint after = opened(path);
  EXPECT_TRUE(leads_to(path, after));
}

TEST_F(MeetingPointTest, RefusesWhatIsNoSocketAndLeavesIt) {
  std::ofstream(path) << "precious";
  const auto point = MeetingPoint::open(path);
  ASSERT_FALSE(point);
  EXPECT_NE(point.error().text.find(path), std::string::npos);
  EXPECT_NE(point.error().text.find("something other than a socket"), std::string::npos) << point.error().text;
  EXPECT_EQ(std::filesystem::file_size(path), 8u);
}

TEST_F(MeetingPointTest, NobodyIsInTheWayOfItsTemporary) {
  std::filesystem::create_directories(path + ".new/not_empty");
  EXPECT_TRUE(leads_to(path, opened(path)));
}

TEST_F(MeetingPointTest, RemovesTheTemporariesOfProcessesThatAreGone) {
  std::ofstream(path + ".17.0123abcd.tmp") << "left by a crash";
  const MeetingPoint point = opened(path);
  EXPECT_EQ(files(), 1u);
}

TEST_F(MeetingPointTest, NeverLetsAnybodyMeetItHalfMade) {
  std::vector<MeetingPoint> points;
  points.push_back(opened(path));
  std::atomic<bool> done = false;
  std::atomic<int> visits = 0;
  std::atomic<int> failures = 0;
  // Every connect to an existing path succeeds while sockets replace each other again and again.
  std::thread visitor([&] {
    for (; !done; ++visits) {
      const auto socket = connect_to(path, std::chrono::milliseconds(1));
      failures += !socket && socket.error().fault == Fault::closed ? 1 : 0;      // a full queue is not a failure
    }
  });
  for (int i = 0; i < 300; ++i) {
    const int visits_before = visits;
    points.push_back(opened(path));
    while (visits == visits_before) std::this_thread::yield();
  }
  done = true;
  visitor.join();
  EXPECT_EQ(failures, 0);
}

TEST_F(MeetingPointTest, MayBeDeeperThanAUnixSocketAllows) {
  std::filesystem::path deep = folder;
  for (int i = 0; i < 8; ++i) deep /= std::string(100, 'd');
  std::filesystem::create_directories(deep);
  const std::string long_path = deep / "handoff.sock";
  ASSERT_GT(long_path.size(), sizeof(sockaddr_un::sun_path));
  MeetingPoint point = opened(long_path);
  EXPECT_TRUE(leads_to(long_path, point));
  point.withdraw();
  EXPECT_FALSE(std::filesystem::exists(long_path));
}

TEST_F(MeetingPointTest, CannotHaveANameThatIsItselfTooLong) {
  const auto point = MeetingPoint::open(folder / std::string(120, 'n'));
  ASSERT_FALSE(point);
  EXPECT_NE(point.error().text.find("too long"), std::string::npos) << point.error().text;
}

TEST_F(MeetingPointTest, WithdrawsItsOwnPathAlone) {
  MeetingPoint before = opened(path);
  MeetingPoint after = opened(path);
  before.withdraw();
  EXPECT_TRUE(leads_to(path, after));
  after.withdraw();
  EXPECT_EQ(files(), 0u);
}

TEST_F(MeetingPointTest, AnInheritedOneKeepsItsQueueAndItsPath) {
  MeetingPoint before = opened(path);
  const auto waiting = connect_to(path, patience);
  ASSERT_TRUE(waiting);
  MeetingPoint after = MeetingPoint::inherited(UniqueFd(::dup(before.descriptor())), path);
  before = {};
  ASSERT_EQ(::write(waiting->get(), "x", 1), 1);
  const UniqueFd met = accepted(after);
  char byte = 0;
  EXPECT_EQ(::read(met.get(), &byte, 1), 1);
  after.withdraw();
  EXPECT_EQ(files(), 0u);
}

TEST_F(MeetingPointTest, WhoseQueueIsFullIsWaitedForAndNotForEver) {
  const MeetingPoint point = opened(path);
  std::vector<UniqueFd> waiting;
  Result<UniqueFd> socket = connect_to(path, std::chrono::milliseconds(50));
  while (socket && waiting.size() < 10'000) {
    waiting.push_back(std::move(*socket));
    socket = connect_to(path, std::chrono::milliseconds(50));
  }
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().fault, Fault::timed_out) << socket.error().text;
}

}  // namespace
}  // namespace baton::handoff
