#include "demo/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace baton::demo {
namespace {

void kill_descendants(pid_t parent) {
  for (const pid_t child : children_of(parent)) {
    kill_descendants(child);
    ::kill(child, SIGKILL);
  }
}

// Runs in the child after fork: only what is safe between fork and exec. Never returns.
[[noreturn]] void become(char* const* arguments, const char* log, pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(127);

  const int null = ::open("/dev/null", O_RDONLY);
  const int output = ::open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (null < 0 || output < 0) ::_exit(127);
  ::dup2(null, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::close_range(3, ~0u, 0);  // Asio opens its sockets without close-on-exec
  ::execv(arguments[0], arguments);
  ::_exit(127);
}

}  // namespace

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  std::error_code error;  // a process that ends meanwhile has no children left to find
  const auto tasks = fmt::format("/proc/{}/task", parent);
  for (auto task = std::filesystem::directory_iterator(tasks, error); !error && task != end(task);
       task.increment(error)) {
    std::ifstream list(task->path() / "children");
    for (pid_t child = 0; list >> child;) children.push_back(child);
  }
  return children;
}

Household::Household() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

Household::~Household() {
  // The next round finds a process that was being started during this one.
  do {
    kill_descendants(::getpid());
  } while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

pid_t start_process(const std::vector<std::string>& arguments, const std::string& log) {
  if (::access(arguments.at(0).c_str(), X_OK) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot start " + arguments[0]);
  }
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);

  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid == 0) become(pointers.data(), log.c_str(), parent);
  return pid;
}

std::optional<int> reap(pid_t pid) {
  int status = 0;
  if (::waitpid(pid, &status, WNOHANG) != pid) return std::nullopt;
  return status;
}

std::string describe_end(int wait_status) {
  if (WIFEXITED(wait_status)) return fmt::format("exit code {}", WEXITSTATUS(wait_status));
  const int signal = WTERMSIG(wait_status);
  return fmt::format("signal {} ({})", signal, ::strsignal(signal));
}

std::vector<std::string> tail(const std::string& path, std::size_t lines) {
  std::deque<std::string> last;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    last.push_back(line);
    if (last.size() > lines) last.pop_front();
  }
  return {last.begin(), last.end()};
}

std::size_t allow_open_files(std::size_t files) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= files) return limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace baton::demo
