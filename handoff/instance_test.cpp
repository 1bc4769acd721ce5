// At most one process holds the lock whatever happens to the others, and a PID file names only its own process.
#include "handoff/instance.hpp"

#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "handoff/temporary.hpp"
#include "handoff/testing/channel.hpp"

namespace baton::handoff {
namespace {

using namespace test;

class Directory {
 public:
  Directory() {
    char name[] = "/tmp/baton-instance-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string operator/(const char* name) const { return (path_ / name).string(); }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::filesystem::path path_;
};

std::string content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// A child that holds the lock until it is killed.
class Holder {
 public:
  explicit Holder(const std::string& path) {
    Pair pair = socket_pair();
    pid_ = ::fork();
    if (pid_ == 0) {
      auto lock = InstanceLock::on_file(path);
      const char said = lock && lock->try_take() ? 'y' : 'n';
      (void)!::write(pair.other.get(), &said, 1);
      for (;;) ::pause();
    }
    char said = 'n';
    (void)!::read(pair.one.get(), &said, 1);
    holds_ = said == 'y';
  }
  ~Holder() { kill(); }
  bool holds() const { return holds_; }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
  bool holds_ = false;
};

TEST(InstanceLock, BelongsToOneProcessAtATime) {
  const Directory directory;
  auto lock = InstanceLock::on_file(directory / "lock");
  ASSERT_TRUE(lock) << lock.error().text;
  EXPECT_FALSE(lock->held());
  EXPECT_TRUE(lock->try_take());
  EXPECT_TRUE(lock->try_take()) << "it is ours already";
  EXPECT_TRUE(lock->held());
  EXPECT_TRUE(in_child([&]() -> std::string {
    auto second = InstanceLock::on_file(directory / "lock");
    if (!second) return second.error().text;
    return second->try_take() ? "two processes hold it" : "";
  }));
  lock->release();
  EXPECT_FALSE(lock->held());
  EXPECT_TRUE(in_child([&]() -> std::string {
    return InstanceLock::on_file(directory / "lock")->try_take() ? "" : "it was not released";
  }));
}

TEST(InstanceLock, IsFreeOnceItsHolderIsDead) {
  const Directory directory;
  Holder holder(directory / "lock");
  ASSERT_TRUE(holder.holds());
  auto lock = InstanceLock::on_file(directory / "lock");
  EXPECT_FALSE(lock->try_take());
  EXPECT_FALSE(lock->take_within(std::chrono::milliseconds(10)));
  holder.kill();
  EXPECT_TRUE(lock->take_within(std::chrono::seconds(5)));
}

TEST(InstanceLock, IsNotPassedOnToOtherPrograms) {
  const Directory directory;
  auto lock = InstanceLock::on_file(directory / "lock");
  ASSERT_TRUE(lock->try_take());
  const pid_t child = ::fork();
  if (child == 0) ::execlp("sleep", "sleep", "1000", nullptr);
  *lock = InstanceLock();
  auto other = InstanceLock::on_file(directory / "lock");
  EXPECT_TRUE(other->take_within(std::chrono::seconds(5)));
  EXPECT_EQ(lock->to_pass_on(), -1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  struct stat file{};
  ::stat((directory / "lock").c_str(), &file);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
}

TEST(InstanceLock, FollowsNoSymbolicLinkAndNeedsAFolder) {
  const Directory directory;
  std::filesystem::create_symlink("/etc/passwd", directory / "lock");
  const auto linked = InstanceLock::on_file(directory / "lock");
  ASSERT_FALSE(linked);
  EXPECT_TRUE(linked.error().text.ends_with("it is a symbolic link")) << linked.error().text;
  EXPECT_FALSE(InstanceLock::on_file(directory / "no/such/folder"));
}

TEST(InstanceLock, OnMemoryIsALockOfItsOwnForWhoeverOpensItAnew) {
  auto lock = InstanceLock::on_memory();
  ASSERT_TRUE(lock) << lock.error().text;
  ASSERT_TRUE(lock->try_take());
  // Another process holds it permanently, as a supervisor does.
  const UniqueFd kept(::dup(lock->to_pass_on()));
  auto successor = InstanceLock::reopened(UniqueFd(::dup(kept.get())));
  ASSERT_TRUE(successor) << successor.error().text;
  EXPECT_FALSE(successor->try_take());
  lock->release();
  EXPECT_TRUE(successor->try_take());
  EXPECT_FALSE(lock->try_take());
  *successor = InstanceLock();
  EXPECT_TRUE(lock->try_take()) << "closing it frees it";
  *lock = InstanceLock();
  auto replacement = InstanceLock::reopened(UniqueFd(::dup(kept.get())));
  EXPECT_TRUE(replacement->try_take());
}

// As older versions do.
TEST(InstanceLock, OnMemoryThatWasPassedOnWithItsLockIsNotKept) {
  UniqueFd holder(::memfd_create("lock", MFD_CLOEXEC));
  ASSERT_EQ(::flock(holder.get(), LOCK_EX | LOCK_NB), 0);
  auto successor = InstanceLock::reopened(UniqueFd(::dup(holder.get())));
  EXPECT_FALSE(successor->try_take());
  holder.reset();
  EXPECT_TRUE(successor->try_take());
}

// Each successor has opened the lock itself, as each process does.
struct Heir {
  Heir(InstanceLock opened, std::uint64_t name) : lock(std::move(opened)) { lock.be_heir(name); }
  InstanceLock lock;
};

TEST(InstanceLock, GoesToTheSuccessorOfTheLastAttempt) {
  const Directory directory;
  const auto opened = [&] { return std::move(InstanceLock::on_file(directory / "lock").value()); };
  InstanceLock predecessor = opened();
  ASSERT_TRUE(predecessor.try_take());
  Heir failed(opened(), predecessor.name_heir());
  Heir next(opened(), predecessor.name_heir());
  predecessor.release();
  EXPECT_FALSE(failed.lock.try_take()) << "its attempt is over";
  EXPECT_FALSE(failed.lock.take_within(std::chrono::milliseconds(5)));
  EXPECT_TRUE(next.lock.try_take()) << "the other has not kept it";
  // A predecessor takes it back as long as its successor has not begun an upgrade of its own.
  next.lock.release();
  EXPECT_TRUE(predecessor.try_take());
  predecessor.release();
  ASSERT_TRUE(next.lock.try_take());
  Heir after_next(opened(), next.lock.name_heir());
  next.lock.release();
  EXPECT_FALSE(predecessor.try_take());
  EXPECT_TRUE(after_next.lock.try_take());
}

TEST(InstanceLock, OnMemoryHasAnHeirToo) {
  auto predecessor = InstanceLock::on_memory();
  ASSERT_TRUE(predecessor && predecessor->try_take());
  const auto reopened = [&] {
    return std::move(InstanceLock::reopened(UniqueFd(::dup(predecessor->to_pass_on()))).value());
  };
  Heir failed(reopened(), predecessor->name_heir());
  Heir next(reopened(), predecessor->name_heir());
  predecessor->release();
  EXPECT_FALSE(failed.lock.try_take());
  EXPECT_TRUE(next.lock.try_take());
}

// A process that starts by itself has no name; neither has the successor of a predecessor that writes none.
TEST(InstanceLock, GoesToAnybodyWithoutAName) {
  const Directory directory;
  auto predecessor = InstanceLock::on_file(directory / "lock");
  ASSERT_TRUE(predecessor && predecessor->try_take());
  EXPECT_NE(predecessor->name_heir(), 0U);
  predecessor->release();
  EXPECT_TRUE(InstanceLock::on_file(directory / "lock")->try_take());
  // A file that an operator has written names no heir.
  std::ofstream(directory / "lock") << "1234\n";
  auto named = InstanceLock::on_file(directory / "lock");
  named->be_heir(1);
  EXPECT_TRUE(named->try_take());
}

TEST(PidFile, IsPublishedAlthoughItsTemporaryWasRemoved) {
  const Directory directory;
  auto file = PidFile::prepare(directory / "pid", 1234);
  ASSERT_TRUE(file);
  discard_temporaries_beside(directory / "pid", ::getpid());
  ASSERT_EQ(directory.files(), 0U);
  ASSERT_TRUE(file->publish());
  EXPECT_EQ(content(directory / "pid"), "1234\n");
  EXPECT_EQ(directory.files(), 1U);
}

TEST(PidFile, NamesNobodyUntilItIsPublished) {
  const Directory directory;
  auto file = PidFile::prepare(directory / "pid", 1234);
  ASSERT_TRUE(file) << file.error().text;
  EXPECT_FALSE(std::filesystem::exists(directory / "pid"));
  EXPECT_TRUE(file->publish());
  EXPECT_EQ(content(directory / "pid"), "1234\n");
  EXPECT_EQ(directory.files(), 1u) << "no temporary is left";
  EXPECT_TRUE(file->publish()) << "a second time changes nothing";
  file->withdraw();
  EXPECT_EQ(directory.files(), 0u);
}

TEST(PidFile, LeavesNothingWhenItIsNeverPublished) {
  const Directory directory;
  {
    auto file = PidFile::prepare(directory / "pid", 1234);
    PidFile moved = std::move(*file);
    EXPECT_EQ(directory.files(), 1u);
  }
  EXPECT_EQ(directory.files(), 0u);
}

TEST(PidFile, IsWithdrawnOnlyWhileItNamesItsOwnProcess) {
  const Directory directory;
  auto before = PidFile::prepare(directory / "pid", 1);
  ASSERT_TRUE(before->publish());
  auto after = PidFile::prepare(directory / "pid", 2);
  ASSERT_TRUE(after->publish());
  before->withdraw();
  EXPECT_EQ(content(directory / "pid"), "2\n") << "it names the successor";
  after->withdraw();
  EXPECT_FALSE(std::filesystem::exists(directory / "pid"));
}

TEST(PidFile, IsPublishedAgainAfterAnotherProcessHasWrittenIt) {
  const Directory directory;
  auto ours = PidFile::prepare(directory / "pid", 1);
  ASSERT_TRUE(ours->publish());
  auto theirs = PidFile::prepare(directory / "pid", 2);
  ASSERT_TRUE(theirs->publish());
  ASSERT_TRUE(ours->publish());
  EXPECT_EQ(content(directory / "pid"), "1\n");
  EXPECT_EQ(directory.files(), 1u);
}

TEST(PidFile, ItsTemporaryIsTheWritersWhoeverItNames) {
  const Directory directory;
  const auto file = PidFile::prepare(directory / "pid", 1234);
  discard_temporaries_beside(directory / "pid", 1234);
  EXPECT_EQ(directory.files(), 1u);
  discard_temporaries_beside(directory / "pid", ::getpid());
  EXPECT_EQ(directory.files(), 0u);
}

// Anyone who may write to the folder can create files there, also with the names of temporaries.
TEST(PidFile, IsNeverWrittenThroughALinkThatSomebodyElseMade) {
  const Directory directory;
  std::ofstream(directory / "victim") << "precious";
  const std::string foreseeable = "pid." + std::to_string(::getpid()) + ".tmp";
  std::filesystem::create_symlink("victim", directory / foreseeable.c_str());
  std::filesystem::create_symlink("victim", directory / "pid");
  auto file = PidFile::prepare(directory / "pid", 1234);
  ASSERT_TRUE(file) << file.error().text;
  ASSERT_TRUE(file->publish());
  EXPECT_EQ(content(directory / "victim"), "precious");
  EXPECT_FALSE(std::filesystem::is_symlink(directory / "pid"));
  EXPECT_EQ(content(directory / "pid"), "1234\n");
}

TEST(PidFile, NobodyIsInTheWayOfItsTemporary) {
  const Directory directory;
  const std::string foreseeable = "pid." + std::to_string(::getpid()) + ".tmp";
  std::filesystem::create_directories(std::filesystem::path(directory / foreseeable.c_str()) / "not_empty");
  auto file = PidFile::prepare(directory / "pid", 1234);
  ASSERT_TRUE(file) << file.error().text;
  EXPECT_TRUE(file->publish());
  EXPECT_NE(temporary_beside(directory / "pid"), temporary_beside(directory / "pid"));
}

TEST(PidFile, ItsPublicationRemovesTheTemporariesOfProcessesThatAreGone) {
  const Directory directory;
  for (const char* left : {"pid.17.tmp", "pid.17.0123abcd.tmp", "pid.18.ffffffff.tmp"})
    std::ofstream(directory / left) << "17";
  const std::vector<const char*> others{
      "pid.tmp",  "pid.x.tmp", "pid.17.0123abc.tmp", "pid.17.0123abcg.tmp", "pid.17.0123abcd.t", "pid2.17.0123abcd.tmp",
      "pid..tmp", "other"};
  for (const char* name : others) std::ofstream(directory / name) << "somebody's";
  auto file = PidFile::prepare(directory / "pid", 1234);
  ASSERT_TRUE(file->publish());
  EXPECT_EQ(directory.files(), 1 + others.size());
  for (const char* name : others) EXPECT_TRUE(std::filesystem::exists(directory / name)) << name;
}

TEST(PidFile, AFifoInItsPlaceHoldsNobodyUp) {
  const Directory directory;
  ASSERT_EQ(::mkfifo((directory / "pid").c_str(), 0600), 0);
  EXPECT_EQ(PidFile::named_in(directory / "pid"), std::nullopt);
  PidFile::remove_if_it_names(directory / "pid", 1234);
  EXPECT_EQ(directory.files(), 1u);
}

TEST(PidFile, ADefaultOneWithdrawsNothing) {
  PidFile none;
  none.withdraw();
  EXPECT_TRUE(none.publish());
}

TEST(PidFile, SaysWhereItCannotBeWritten) {
  const auto file = PidFile::prepare("/no/such/folder/pid", 1);
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().text.find("/no/such/folder/pid"), std::string::npos);
}

}  // namespace
}  // namespace baton::handoff
