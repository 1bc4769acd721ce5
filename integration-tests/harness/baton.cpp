#include "harness/baton.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "harness/log_lines.hpp"

#ifndef BATON_BINARY
#define BATON_BINARY ""
#endif

namespace baton::harness {

namespace fs = std::filesystem;

namespace {

constexpr unsigned nobody = 65534;
constexpr fs::perms everyone_may_execute{0755};

}  // namespace

std::string baton_binary() {
  const std::string path = BATON_BINARY;
  if (path.empty()) throw Failure("this tree was configured without the target `baton`");
  return path;
}

std::string in_shell(const std::string& path) {
  std::string quoted = "'";
  for (const char c : path) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string baton_in_shell() { return in_shell(baton_binary()); }

std::string baton_binary_for_everyone() {
  struct Copy {
    Copy() {
      fs::permissions(directory.path(), everyone_may_execute);
      fs::copy_file(baton_binary(), path);
      fs::permissions(path, everyone_may_execute);
    }
    TempDir directory;
    const std::string path = directory / "baton";
  };
  static const Copy copy;
  return copy.path;
}

Command as_user(unsigned user, Command command) {
  const std::string id = std::to_string(user);
  command.argv.insert(command.argv.begin(), {"setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups"});
  return command;
}

Command as_nobody(Command command) { return as_user(nobody, std::move(command)); }

Outcome run_baton(std::vector<std::string> arguments, std::vector<std::string> environment) {
  arguments.insert(arguments.begin(), baton_binary());
  return run({std::move(arguments), std::move(environment)});
}

Baton::Baton(Settings settings) : settings_(std::move(settings)) {
  if (settings_.binds.empty()) settings_.binds = {loopback(free_port())};
  replace_file(config_path(), to_yaml(settings_, directory_));
  if (settings_.own_binary) {
    fs::copy_file(baton_binary(), binary_path());
    fs::permissions(binary_path(), everyone_may_execute);
  }
  start();
  await_ready();
}

void Baton::start_again() {
  for (const auto& binds : {settings_.binds, settings_.tcp_binds})
    for (const Address& bind : binds)
      if (bind.unix_path.empty()) await([&] { return can_listen_on(bind); }, bind.text() + " to be free");
  start();
  await_ready();
}

void Baton::start() {
  const bool runs_as_other = (settings_.unprivileged || settings_.user != 0) && ::geteuid() == 0;
  const std::string binary = settings_.own_binary ? binary_path()
                             : runs_as_other      ? baton_binary_for_everyone()
                                                  : baton_binary();
  Command command{{binary, "run", "-c", config_path()}};
  command.argv.insert(command.argv.end(), settings_.arguments.begin(), settings_.arguments.end());
  if (runs_as_other) {
    const unsigned user = settings_.user != 0 ? settings_.user : nobody;
    if (::chown(directory_.path().c_str(), user, user) != 0) throw Failure("cannot give the directory away");
    command = as_user(user, std::move(command));
  }
  std::string shell = settings_.shell.empty() ? "" : settings_.shell + "; ";
  if (settings_.descriptors_max != 0) shell += "ulimit -n " + std::to_string(settings_.descriptors_max) + "; ";
  if (!shell.empty()) command.argv.insert(command.argv.begin(), {"/bin/sh", "-c", shell + "exec \"$0\" \"$@\""});
  process_ = std::make_unique<Process>(command);
  pid_ = process_->pid();
}

void Baton::await_ready() {
  try {
    await(
        [this] {
          if (!is_alive(pid_)) throw Failure("Baton has ended: " + to_string(process_->await_exit()));
          return is_listening(unix_socket(directory_ / "admin.sock")) && readyz() == 200 && pid_in_file() == pid_;
        },
        "Baton to be ready");
  } catch (const Failure& failure) {
    throw Failure(std::string(failure.what()) + "\n" + read_file(config_path()) + log());
  }
}

void Baton::signal(int number) const {
  if (::kill(pid_, number) != 0) throw Failure("Baton is gone\n" + log());
}

std::string Baton::upgrade() {
  begin_upgrade();
  return finish_upgrade();
}

void Baton::begin_upgrade() const {
  signal(SIGUSR2);
}

std::string Baton::finish_upgrade(Milliseconds limit) {
  const std::string report = process_->await_line(Process::Stream::err, log_lines::upgrade_report, limit);
  Ended ended;
  try {
    ended = await_exit(limit);
  } catch (const Failure& failure) {
    throw Failure(std::string(failure.what()) + "\n" + log());
  }
  if (ended != Ended{0, 0}) throw Failure("the predecessor ended with " + to_string(ended) + "\n" + log());
  const pid_t before = pid_;
  pid_ = pid_in_file();
  if (pid_ == before || !is_alive(pid_)) throw Failure("the PID file names no successor\n" + log());
  return report;
}

std::string Baton::failed_upgrade() {
  begin_upgrade();
  const std::string line = await_log(log_lines::upgrade_failed);
  if (!is_alive(pid_) || pid_in_file() != pid_) throw Failure("the predecessor is not the instance any more\n" + log());
  await([this] { return children_of(pid_).empty(); }, "the failed successor to be gone");
  return line;
}

void Baton::reload(const Settings& settings) {
  replace_file(config_path(), to_yaml(settings, directory_));
  signal(SIGHUP);
  await_log(log_lines::reload_done);
}

// On a starved machine it answers that its threads have not told it in time.
boost::json::object Baton::status() const {
  for (const Deadline deadline;;) {
    Client admin(unix_socket(directory_ / "admin.sock"));
    const Response response = admin.get("/status");
    if (response.status() == 200) return boost::json::parse(response.body).as_object();
    if (deadline.passed()) throw Failure("/status: " + response.body);
  }
}

std::int64_t Baton::number(const std::string& path) const {
  boost::json::value at = status();
  std::istringstream names(path);
  for (std::string name; std::getline(names, name, '.');) {
    const auto* object = at.if_object();
    const auto* found = object == nullptr ? nullptr : object->if_contains(name);
    if (found == nullptr) throw Failure("/status has no " + path);
    boost::json::value next = *found;
    at = std::move(next);
  }
  return at.to_number<std::int64_t>();
}

void Baton::await_number(const std::string& path, std::int64_t value) const {
  try {
    await([&] { return number(path) == value; }, path + " to be " + std::to_string(value));
  } catch (const Failure& failure) {
    throw Failure(std::string(failure.what()) + "\n" + boost::json::serialize(status()) + "\n" + log());
  }
}

int Baton::readyz() const {
  return Client(unix_socket(directory_ / "admin.sock")).get("/readyz").status();
}

std::size_t Baton::count_log_lines(const std::regex& line) const {
  std::istringstream lines(log());
  std::size_t count = 0;
  for (std::string one; std::getline(lines, one);) count += std::regex_search(one, line) ? 1 : 0;
  return count;
}

bool Baton::lock_is_held() const {
  const std::string path = directory_ / "handoff.sock.lock";
  const Fd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file) throw Failure("there is no " + path);
  return ::flock(file.get(), LOCK_EX | LOCK_NB) != 0;
}

void Baton::follow_pid_file() {
  pid_ = pid_in_file();
}

pid_t Baton::pid_in_file() const {
  return std::atoi(read_file(pid_file_path()).c_str());
}

}  // namespace baton::harness
