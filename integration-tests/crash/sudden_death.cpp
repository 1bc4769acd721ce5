// Preloaded into Baton: a process dies at a call, as the file that DEATH names says.
#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <string_view>

#include "crash/death.hpp"
#include "harness/shared_memory.hpp"

using baton::harness::Death;

namespace {

Death* death = nullptr;

__attribute__((constructor)) void read_death() {
  death = baton::harness::shared_by_test<Death>("DEATH");
  if (death != nullptr && death->is_for_next.exchange(false)) death->pid = ::getpid();
}

template <class Make>
ssize_t make(Death::Call call, Make make) {
  if (death == nullptr || death->pid != ::getpid() || death->call != call || ++death->count != death->at) return make();
  if (death->after) make();
  death->victim = ::getpid();
  ::tgkill(::getpid(), ::gettid(), death->signal);  // no further instruction of this thread
  return -1;
}

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

bool begins_a_frame(const msghdr& message) {
  constexpr std::string_view magic = "BATN";
  return message.msg_iovlen != 0 && message.msg_iov->iov_len >= magic.size() &&
         std::string_view(static_cast<const char*>(message.msg_iov->iov_base), magic.size()) == magic;
}

}  // namespace

extern "C" ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  static auto* const real_one = real<decltype(sendmsg)>("sendmsg");
  const bool is_frame = death != nullptr && death->call == Death::Call::sendmsg_of_a_frame && begins_a_frame(*message);
  return make(is_frame ? Death::Call::sendmsg_of_a_frame : Death::Call::sendmsg,
              [&] { return real_one(socket, message, flags); });
}

extern "C" ssize_t recvmsg(int socket, msghdr* message, int flags) {
  static auto* const real_one = real<decltype(recvmsg)>("recvmsg");
  return make(Death::Call::recvmsg, [&] { return real_one(socket, message, flags); });
}
