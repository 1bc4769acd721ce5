// Bytes that go from one socket to the other unseen (splice(2)): each side must see the same bytes, wherever they are
// when the connection moves and whatever else then happens to it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <string>

#include "proxy/worker/testing/loopback_plays.hpp"

namespace {

struct Splices {
  std::atomic<std::uint64_t> bytes = 0;      // that a socket has taken
  std::atomic<std::size_t> most = SIZE_MAX;  // that a socket takes at once
  std::atomic<int> error = 0;                // in place of bytes from a socket, once
  std::atomic<int> refusal = 0;              // of each call
};
Splices splices;

bool is_pipe(int descriptor) {
  struct stat about{};
  return ::fstat(descriptor, &about) == 0 && S_ISFIFO(about.st_mode);
}

}  // namespace

// In place of libc's: counts, and may send fewer bytes than asked for, as the kernel may.
extern "C" ssize_t splice(int in, off64_t* in_at, int out, off64_t* out_at, std::size_t bytes, unsigned flags) {
  const bool sends = is_pipe(in);
  const int error = sends ? splices.refusal.load() : splices.refusal.load() | splices.error.exchange(0);
  if (error != 0) {
    errno = error;
    return -1;
  }
  if (sends) bytes = std::min(bytes, splices.most.load());
  const ssize_t moved = ::syscall(SYS_splice, in, in_at, out, out_at, bytes, flags);
  if (sends && moved > 0) splices.bytes += static_cast<std::uint64_t>(moved);
  return moved;
}

namespace baton::proxy {
namespace {

constexpr std::size_t bulk_bytes = 600'000;

void after_every_event(const Scene& scene, const std::function<void(Stage&)>& act) {
  for (const Play& play : bulky_plays(bulk_bytes)) {
    SCOPED_TRACE(play.name);
    std::size_t events = 0;
    splices.bytes = 0;
    const Witnessed expected = Stage(play, scene).run([&](std::size_t count, Stage&) { events = count; });
    ASSERT_TRUE(expected.finished);
    ASSERT_TRUE(expected.client_saw_end);
    EXPECT_GT(splices.bytes.load(), bulk_bytes / 2) << "most must go through the pipe";
    for (std::size_t at = 1; at <= events; ++at) {
      const Witnessed seen = Stage(play, scene).run([&](std::size_t count, Stage& stage) {
        if (count == at) act(stage);
      });
      ASSERT_TRUE(seen.finished) << "stopped after event " << at << " of " << events;
      ASSERT_TRUE(seen == expected) << "event " << at << " of " << events << "\nclient " << seen.client.size() << " of "
                                    << expected.client.size() << " bytes, origin " << seen.origin.size() << " of "
                                    << expected.origin.size();
    }
  }
}

class Splice : public testing::Test {
 protected:
  const Scene scene{{}, KernelRoom::ample};
};

class SpliceAtMost : public Splice, public testing::WithParamInterface<std::size_t> {
 protected:
  void SetUp() override { splices.most = GetParam(); }
  void TearDown() override { splices.most = SIZE_MAX; }
};

TEST_P(SpliceAtMost, MovedAfterAnyEventNothingIsLost) {
  after_every_event(scene, [](Stage& stage) { stage.move(Outcome::adopted); });
}

TEST_P(SpliceAtMost, TakenBackAfterAnyEventNothingIsLost) {
  after_every_event(scene, [](Stage& stage) { stage.move(Outcome::taken_back); });
}

TEST_P(SpliceAtMost, ReloadedAfterAnyEventNothingIsLost) {
  after_every_event(scene, [](Stage& stage) { stage.serving().reconfigure(stage.settings(), nullptr); });
}

INSTANTIATE_TEST_SUITE_P(AtMost, SpliceAtMost, testing::Values(SIZE_MAX, std::size_t{4'099}));

// The kernel says so at an urgent byte, or for want of a page.
TEST_F(Splice, NothingToSpliceThoughBytesAreThereDelaysNothing) {
  for (const int error : {EAGAIN, ENOMEM}) {
    after_every_event(scene, [&](Stage&) { splices.error = error; });
    splices.error = 0;
  }
}

TEST_F(Splice, WhereItIsNotPossibleBytesAreCopied) {
  for (const int error : {EPERM, ENOSYS, EINVAL}) {
    splices.refusal = error;
    for (const Play& play : bulky_plays(bulk_bytes)) {
      EXPECT_TRUE(Stage(play, scene).run([](std::size_t, Stage&) {}).client_saw_end)
          << play.name << ", error " << error;
    }
    splices.refusal = 0;
  }
}

TEST(SpliceOnly, WhereNothingMustBeLookedAt) {
  const std::string large = numbered(bulk_bytes);
  const std::string end = large.substr(large.size() - 30);
  const Play play{.name = "a response over TLS",
                  .client = {{"", request("GET /")}, {end, "", true}},
                  .origin = {{"\r\n\r\n", response(large)}}};
  for (const Legs legs : {Legs{.client = TLS1_3_VERSION}, Legs{.origin = TLS1_3_VERSION}}) {
    const Scene scene(legs, KernelRoom::ample);
    splices.bytes = 0;
    EXPECT_TRUE(Stage(play, scene).run([](std::size_t, Stage&) {}).finished);
    EXPECT_EQ(splices.bytes.load(), 0U);
  }
}

}  // namespace
}  // namespace baton::proxy
