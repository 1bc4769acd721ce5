#include "supervise/supervised.hpp"

#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "harness/aftermath.hpp"
#include "harness/log_lines.hpp"

namespace baton::harness {

namespace fs = std::filesystem;

namespace {

// The parent's children, and theirs.
std::vector<pid_t> descendants_of(pid_t pid) {
  std::vector<pid_t> all = children_of(pid);
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (const pid_t child : children_of(all[i])) all.push_back(child);
  }
  return all;
}

}  // namespace

Supervised::Supervised(void (*change)(Settings&)) : baton(settings(origin, change)) {}

Supervised::~Supervised() {
  // Workers lead their own process groups, which the harness does not search.
  const std::vector<pid_t> workers = descendants_of(parent);
  ::kill(parent, SIGKILL);
  for (const pid_t worker : workers) ::kill(worker, SIGKILL);
}

Settings Supervised::settings(const Origin& origin, void (*change)(Settings&)) {
  Settings settings(origin.address());
  settings.own_binary = true;
  settings.arguments = {"--supervise"};
  settings.handoff += ", finish_timeout: 50ms";
  change(settings);
  return settings;
}

std::string Supervised::upgrade() {
  const pid_t before = worker();
  baton.begin_upgrade();
  const std::string report = baton.await_log(log_lines::upgrade_report);
  await_another_worker(before);
  await([&] { return !is_alive(before); }, "the old worker to end");
  return report;
}

pid_t Supervised::crash(int signal) {
  const pid_t before = worker();
  await_known(before);
  await_rest(before);
  ::kill(before, signal);
  return await_another_worker(before);
}

pid_t await_another_worker(const Baton& baton, pid_t before) {
  pid_t after = 0;
  await(
      [&] {
        if (!is_alive(baton.pid())) throw Failure("the parent has ended\n" + baton.log());
        try {
          after = static_cast<pid_t>(baton.number("pid"));
        } catch (const Failure&) {
          return false;
        }
        return after != before;
      },
      "another worker to serve\n" + baton.log());
  return after;
}

static void await_known(const Baton& baton, pid_t worker) {
  const std::regex line("supervisor: PID " + std::to_string(worker) + " is the instance");
  await([&] { return baton.count_log_lines(line) != 0; }, "the parent to know its worker\n" + baton.log());
}

void Supervised::await_known(pid_t worker) const { harness::await_known(baton, worker); }

pid_t worker_at_rest(const Baton& baton) {
  const auto worker = static_cast<pid_t>(baton.number("pid"));
  await_known(baton, worker);
  await_rest(worker);
  return worker;
}

Ended Supervised::stop(int signal) {
  ::kill(parent, signal);
  return baton.await_exit();
}

void Supervised::expect_nothing_left() const {
  EXPECT_EQ(paths_of_an_instance(baton), std::vector<std::string>{}) << baton.log();
  EXPECT_EQ(listeners_on(baton.address().port), "") << baton.log();
  EXPECT_FALSE(baton.lock_is_held());
}

Outcome Supervised::ctl(std::vector<std::string> words) const {
  words.insert(words.begin(), "ctl");
  words.insert(words.end(), {"--admin", "unix:" + baton.directory() / "admin.sock"});
  return run_baton(std::move(words));
}

std::string executable_of(pid_t pid) {
  std::error_code gone;
  return fs::read_symlink("/proc/" + std::to_string(pid) + "/exe", gone).string();
}

bool exists(const std::string& path) { return fs::exists(path); }

}  // namespace baton::harness
