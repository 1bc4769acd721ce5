#include "harness/pids.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iterator>
#include <ostream>
#include <set>
#include <sstream>

#include "harness/fd.hpp"
#include "harness/temp_dir.hpp"

namespace baton::harness {

namespace fs = std::filesystem;

namespace {

std::string proc(pid_t pid, const std::string& name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

// The value of a "Name:   value" line of /proc/PID/status.
std::string status_field(pid_t pid, const std::string& name) {
  std::istringstream lines(read_file(proc(pid, "status")));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(name + ":")) return line.substr(line.find_first_not_of(" \t", name.size() + 1));
  return {};
}

Fd pidfd_of(pid_t pid) {
  return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

}  // namespace

std::string to_string(const Ended& ended) {
  return ended.signal != 0 ? "killed by signal " + std::to_string(ended.signal)
                           : "exit code " + std::to_string(ended.code);
}

void PrintTo(const Ended& ended, std::ostream* out) {
  *out << to_string(ended);
}

Ended await_exit(pid_t pid, Milliseconds limit) {
  Deadline deadline(limit);
  const std::string what = "process " + std::to_string(pid) + " to exit";
  const Fd handle = pidfd_of(pid);
  if (!handle) throw Failure("there is no process " + std::to_string(pid));
  pollfd ended{handle.get(), POLLIN, 0};
  if (::poll(&ended, 1, deadline.poll_ms()) == 0) throw Failure("waited in vain for " + what);
  int status = 0;
  await([&] { return ::waitpid(pid, &status, WNOHANG) == pid; }, what + " and become our child",
        Milliseconds(deadline.poll_ms() + 1000));
  if (WIFSIGNALED(status)) return {-1, WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

bool is_alive(pid_t pid) {
  const Fd handle = pidfd_of(pid);
  if (!handle) return false;
  pollfd ended{handle.get(), POLLIN, 0};
  return ::poll(&ended, 1, 0) == 0;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  std::error_code gone;
  for (const auto& task : fs::directory_iterator(proc(pid, "task"), gone)) {
    std::ifstream in(task.path() / "children");
    for (pid_t child = 0; in >> child;) children.push_back(child);
  }
  return children;
}

std::vector<pid_t> living_in_group(pid_t group) {
  std::vector<pid_t> living;
  std::vector<pid_t> to_see = children_of(::getpid());
  while (!to_see.empty()) {
    const pid_t pid = to_see.back();
    to_see.pop_back();
    for (const pid_t child : children_of(pid)) to_see.push_back(child);
    if (::getpgid(pid) == group && is_alive(pid)) living.push_back(pid);
  }
  return living;
}

void await_rest(pid_t pid) {
  const auto rests = [](const fs::path& thread) {
    const std::string stat = read_file(thread / "stat");
    if (stat.empty()) return true;  // it has ended since it was listed
    return stat.compare(stat.rfind(')') + 2, 1, "S") == 0;
  };
  const auto all_rest = [&] {
    const fs::directory_iterator threads(proc(pid, "task"));
    return std::all_of(begin(threads), end(threads), rests);
  };
  await(all_rest, "all threads to rest");
}

void stop_and_await(pid_t pid) {
  ::kill(pid, SIGSTOP);
  await([pid] { return status_field(pid, "State").starts_with('T'); }, "process " + std::to_string(pid) + " to stop");
}

std::size_t descriptor_count(pid_t pid) {
  std::error_code failed;
  std::size_t count = 0;
  for (auto it = fs::directory_iterator(proc(pid, "fd"), failed); it != fs::directory_iterator(); ++it) ++count;
  if (failed)
    throw Failure("the descriptors of process " + std::to_string(pid) + " cannot be counted: " + failed.message());
  return count;
}

std::string listeners_on(std::uint16_t port) {
  constexpr std::size_t inode_column = 9;
  std::ostringstream ending;
  ending << ':' << std::uppercase << std::hex << std::setw(4) << std::setfill('0') << port;
  std::set<std::string> wanted;  // as the links of descriptors name sockets
  for (const char* const table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::istringstream lines(read_file(table));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      const std::vector<std::string> column(std::istream_iterator<std::string>(words), {});
      const bool listens = column.size() > inode_column && column[1].ends_with(ending.str()) && column[3] == "0A";
      if (listens) wanted.insert("socket:[" + column[inode_column] + "]");
    }
  }
  std::string found;
  std::error_code gone;
  for (const auto& process : fs::directory_iterator("/proc", gone)) {
    const std::string pid = process.path().filename();
    if (wanted.empty() || pid.find_first_not_of("0123456789") != std::string::npos) continue;
    for (auto at = fs::directory_iterator(process.path() / "fd", gone); at != fs::directory_iterator();
         at.increment(gone)) {
      if (!wanted.contains(fs::read_symlink(at->path(), gone).string())) continue;
      found += pid + " " + read_file(process.path() / "comm");
      break;
    }
  }
  return !wanted.empty() && found.empty() ? "a process without descriptors" : found;
}

void await_descriptors_at_most(std::size_t most, pid_t pid) {
  std::size_t count = 0;
  try {
    await([&] { return (count = descriptor_count(pid)) <= most; }, "descriptors to be closed");
  } catch (const Failure& failure) {
    throw Failure(std::string(failure.what()) + ": " + std::to_string(count) + ", not at most " + std::to_string(most));
  }
}

std::size_t resident_bytes(pid_t pid) {
  return std::strtoull(status_field(pid, "VmRSS").c_str(), nullptr, 10) * 1024;
}

std::size_t peak_resident_bytes(pid_t pid) {
  return std::strtoull(status_field(pid, "VmHWM").c_str(), nullptr, 10) * 1024;
}

}  // namespace baton::harness
