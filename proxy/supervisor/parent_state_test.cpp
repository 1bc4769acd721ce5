#include "proxy/supervisor/parent_state.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "proxy/state/address.hpp"

namespace baton::supervisor {
namespace {

handoff::UniqueFd listening_socket() {
  handoff::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::listen(socket.get(), 1), 0);
  return socket;
}

handoff::UniqueFd file() { return handoff::UniqueFd(::memfd_create("file", MFD_CLOEXEC)); }

ParentState whole_state() {
  ParentState state{.door = make_door(),
                    .workers = {},
                    .instance = 12,
                    .heritage = {},
                    .streak = {3, 5},
                    .stop_signal = SIGQUIT,
                    .signals = {1, 10}};
  int line[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line), 0);
  ::close(line[1]);
  state.workers.push_back({.pid = 11, .line = {}, .resigned = true, .leaving = true});
  state.workers.push_back({.pid = 12, .line = std::make_unique<handoff::Channel>(handoff::UniqueFd(line[0])), .served = true});
  Heritage heritage;
  heritage.sockets.push_back({"web", "127.0.0.1:80", listening_socket()});
  heritage.sockets.push_back({"@lock", "", file()});
  heritage.application = "record";
  heritage.configuration = "version: 1";
  heritage.executable = file();
  heritage.generation = 7;
  heritage.version = "1.2";
  heritage.features = {"tls"};
  state.heritage = std::make_shared<Heritage>(std::move(heritage));
  return state;
}

// From now on the descriptors have another owner, as after an execve.
void let_go(ParentState state) {
  state.door.ours.release();
  state.door.theirs.release();
  for (Worker& worker : state.workers) {
    if (worker.line) worker.line->release().release();
  }
  auto& heritage = *state.heritage;
  for (auto& socket : heritage.sockets) socket.descriptor.release();
  heritage.executable.release();
}

TEST(ParentState, IsTheSameAfterItWasWrittenDown) {
  ParentState before = whole_state();
  const std::string bytes = encode(before);
  const std::vector<int> descriptors = descriptors_of(before);
  EXPECT_EQ(what_is_wrong_with(bytes), std::nullopt);
  let_go(std::move(before));
  const ParentState after = decode_parent_state(bytes);
  EXPECT_EQ(encode(after), bytes);
  EXPECT_EQ(descriptors_of(after), descriptors);
  EXPECT_EQ(after.workers.at(0).pid, 11);
  EXPECT_TRUE(after.workers.at(0).resigned && after.workers.at(0).leaving && !after.workers.at(0).line);
  EXPECT_TRUE(after.workers.at(1).served && after.workers.at(1).line);
  EXPECT_EQ(after.heritage->sockets.at(0).address, "127.0.0.1:80");
  EXPECT_EQ(after.heritage->features, std::vector<std::string>{"tls"});
  for (const int descriptor : descriptors) EXPECT_EQ(::fcntl(descriptor, F_GETFD), FD_CLOEXEC) << descriptor;
}

TEST(ParentState, IsNotBelievedWhenADescriptorIsNotWhatItShouldBe) {
  const ParentState state = whole_state();
  const std::string bytes = encode(state);
  for (const int descriptor : descriptors_of(state)) {
    const handoff::UniqueFd kept(::fcntl(descriptor, F_DUPFD_CLOEXEC, 3));
    const handoff::UniqueFd other(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ::dup2(other.get(), descriptor);
    EXPECT_NE(what_is_wrong_with(bytes), std::nullopt) << descriptor;
    ::dup3(kept.get(), descriptor, O_CLOEXEC);
    EXPECT_EQ(what_is_wrong_with(bytes), std::nullopt) << descriptor;
  }
}

TEST(ParentState, IsNotBelievedWithoutAnInstanceNorInAnotherFormat) {
  ParentState state = whole_state();
  state.instance = 99;
  EXPECT_NE(what_is_wrong_with(encode(state)), std::nullopt);
  EXPECT_NE(what_is_wrong_with(""), std::nullopt);
  EXPECT_NE(what_is_wrong_with("\xff\xff\xff"), std::nullopt);
}

}  // namespace
}  // namespace baton::supervisor
