#include "harness/shortage.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include "harness/process.hpp"

namespace baton::harness {

namespace fs = std::filesystem;

namespace {

std::string proc(pid_t pid, const char* what) {
  return "/proc/" + std::to_string(pid) + "/" + what;
}

// The soft limit from /proc/PID/limits: "Max processes             96365                96365 processes".
unsigned long soft_limit(pid_t pid, const std::string& name) {
  std::ifstream lines(proc(pid, "limits"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    const std::string value = line.substr(name.size(), line.size());
    const std::size_t begin = value.find_first_not_of(' ');
    return value.substr(begin).starts_with("unlimited") ? RLIM_INFINITY : std::stoul(value.substr(begin));
  }
  throw Failure("the limits of the process cannot be read");
}

// Runs as the process's own user: without a capability even root may not do it to another user's process.
bool set_soft_limit(pid_t pid, const std::string& resource, unsigned long soft) {
  struct stat owner {};
  if (::stat(proc(pid, "task").c_str(), &owner) != 0) return false;  // it has ended
  const std::string value = soft == RLIM_INFINITY ? "unlimited" : std::to_string(soft);
  const std::string user = std::to_string(owner.st_uid);
  std::vector<std::string> command{"prlimit", "--pid", std::to_string(pid), "--" + resource + "=" + value + ":"};
  if (owner.st_uid != ::geteuid())
    command.insert(command.begin(), {"setpriv", "--reuid=" + user, "--regid=" + user, "--clear-groups"});
  return run({command}).code == 0;
}

}  // namespace

unsigned lonely_user() {
  constexpr unsigned first = 1'500'000'000;
  return first + static_cast<unsigned>(::getpid());
}

std::size_t task_count(const std::vector<pid_t>& pids) {
  std::size_t count = 0;
  for (const pid_t pid : pids) {
    const fs::directory_iterator tasks(proc(pid, "task"));
    count += static_cast<std::size_t>(std::distance(fs::begin(tasks), fs::end(tasks)));
  }
  return count;
}

Shortage Shortage::of_tasks(pid_t pid, std::size_t tasks_max) {
  return {pid, "nproc", tasks_max, soft_limit(pid, "Max processes")};
}

Shortage Shortage::of_descriptors(const Baton& baton, std::size_t free) {
  // Baton handles ends of connections in order of arrival: once it has answered on a new one, the ones that ended
  // before are closed. The new one stays open, since closing it would change the count.
  auto admin = std::make_unique<Client>(unix_socket(baton.directory() / "admin.sock"));
  admin->get("/healthz");
  const pid_t pid = baton.pid();
  std::set<unsigned long> used;
  for (const auto& entry : fs::directory_iterator(proc(pid, "fd")))
    used.insert(std::stoul(entry.path().filename().string()));
  std::size_t limit = 0;
  for (std::size_t seen = 0; seen < free || used.contains(limit); ++limit) seen += used.contains(limit) ? 0 : 1;
  return {pid, "nofile", limit, soft_limit(pid, "Max open files"), std::move(admin)};
}

Shortage Shortage::of_memory(pid_t pid, std::size_t more) {
  std::ifstream sizes(proc(pid, "statm"));
  std::size_t pages = 0;
  sizes >> pages;
  return {pid, "as", pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + more,
          soft_limit(pid, "Max address space")};
}

std::size_t stack_bytes(pid_t pid) {
  return soft_limit(pid, "Max stack size");
}

Shortage::Shortage(pid_t pid, const std::string& resource, std::size_t soft, unsigned long before,
                   std::unique_ptr<Client> admin)
    : pid_(pid), resource_(resource), before_(before), admin_(std::move(admin)) {
  if (!set_soft_limit(pid, resource, soft)) throw Failure("the limits of the process cannot be changed");
}

Shortage::~Shortage() {
  (void)set_soft_limit(pid_, resource_, before_);
}

}  // namespace baton::harness
