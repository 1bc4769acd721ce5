#include "proxy/process/spawn.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

extern char** environ;

namespace baton::process {

namespace {

// What belongs to this process and not to its successor.
bool is_ours_alone(std::string_view variable) {
  for (const std::string_view name : {"BATON_HANDOFF=", "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", "WATCHDOG_PID="}) {
    if (variable.starts_with(name)) return true;
  }
  return false;
}

}  // namespace

std::expected<Spawned, std::string> spawn_successor(const std::vector<std::string>& arguments) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return std::unexpected(std::string("no channel for the successor: ") + std::strerror(errno));
  }
  Spawned spawned{.channel = handoff::UniqueFd(ends[0])};
  const handoff::UniqueFd theirs(ends[1]);

  std::vector<char*> argv;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const std::string channel_variable = std::string(handoff_variable) + "=" + std::to_string(theirs.get());
  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!is_ours_alone(*variable)) environment.push_back(*variable);
  }
  environment.push_back(const_cast<char*>(channel_variable.c_str()));
  environment.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), theirs.get());      // the child's copy survives exec
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const int error =
      ::posix_spawnp(&spawned.pid, argv[0], &actions, &attributes, argv.data(), environment.data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return std::unexpected("cannot start " + arguments[0] + ": " + std::strerror(error));
  return spawned;
}

handoff::UniqueFd take_inherited_channel() {
  const char* value = std::getenv(handoff_variable);
  if (value == nullptr) return {};
  char* end = nullptr;
  const long number = std::strtol(value, &end, 10);
  const bool is_number = end != value && *end == '\0' && number > 2 && number < 1 << 20;
  ::unsetenv(handoff_variable);
  if (!is_number) return {};
  handoff::UniqueFd channel(static_cast<int>(number));
  int type = 0;
  socklen_t length = sizeof type;
  if (::getsockopt(channel.get(), SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_STREAM) {
    channel.release();      // whatever it is, it is not ours to close
    return {};
  }
  ::fcntl(channel.get(), F_SETFD, FD_CLOEXEC);
  return channel;
}

std::string describe_exit(int wait_status) {
  if (WIFEXITED(wait_status)) return "exited with code " + std::to_string(WEXITSTATUS(wait_status));
  if (WIFSIGNALED(wait_status)) return "was killed by signal " + std::to_string(WTERMSIG(wait_status));
  return "ended";
}

}  // namespace baton::process
