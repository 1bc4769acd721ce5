#include "harness/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

namespace baton::harness {

namespace {

struct Pipe {
  Fd read, write;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw Failure("no pipe");
    read = Fd(ends[0]);
    write = Fd(ends[1]);
  }
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// "2026-01-31T12:00:00.000Z info  [g2 4711] serving": the text in brackets; all other lines count as one writer's.
std::string writer_of(const std::string& line) {
  constexpr std::size_t tag_begins_before = 40;
  const std::size_t begin = line.find('[');
  return begin < tag_begins_before ? line.substr(begin, line.find(']', begin) - begin) : "";
}

// In its own process group, with a clean signal mask and no signal ignored.
pid_t spawn(Command command, const Pipe* in, const Pipe& out, const Pipe& err) {
  for (char** have = environ; *have != nullptr; ++have) command.environment.emplace_back(*have);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  if (in != nullptr) {
    posix_spawn_file_actions_adddup2(&files, in->read.get(), STDIN_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  posix_spawn_file_actions_adddup2(&files, out.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, err.write.get(), STDERR_FILENO);
  if (!command.directory.empty()) posix_spawn_file_actions_addchdir_np(&files, command.directory.c_str());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  pid_t pid = -1;
  int error = ::posix_spawnp(&pid, command.argv.at(0).c_str(), &files, &attributes, pointers(command.argv).data(),
                             pointers(command.environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) throw Failure("cannot start " + command.argv[0] + ": " + std::strerror(error));
  return pid;
}

// Kills our children in that group, including grandchildren whose parents are gone; never a foreign process.
void kill_group(pid_t group) {
  await(
      [group] {
        bool none = true;
        for (pid_t child : children_of(::getpid())) {
          if (::getpgid(child) != group) continue;
          none = false;
          ::kill(child, SIGKILL);
          ::waitpid(child, nullptr, 0);
        }
        return none;
      },
      "the processes of group " + std::to_string(group) + " to die");
}

}  // namespace

Process::Process(const Command& command) {
  Pipe out, err;
  std::optional<Pipe> in;
  if (command.has_input) in.emplace();
  pid_ = spawn(command, in ? &*in : nullptr, out, err);
  if (in) input_ = std::move(in->write);
  captures_[0].pipe = std::move(out.read);
  captures_[1].pipe = std::move(err.read);
  for (const Capture& capture : captures_) ::fcntl(capture.pipe.get(), F_SETFL, O_NONBLOCK);
  stop_reading_ = Fd(::eventfd(0, EFD_CLOEXEC));
  reader_ = std::thread([this] { read_pipes(); });
}

Process::~Process() {
  try {
    kill_group(pid_);
  } catch (const Failure&) {
    // A destructor reports nothing; tests that count processes notice a survivor.
  }
  ::eventfd_write(stop_reading_.get(), 1);
  reader_.join();
}

std::string Process::captured(Stream stream) const {
  std::lock_guard lock(mutex_);
  Capture& from = captures_[stream == Stream::out ? 0 : 1];
  if (!from.ended) take(from);
  return from.text;
}

std::string Process::await_line(Stream stream, const std::regex& pattern, Milliseconds limit) {
  const auto until = Clock::now() + limit;
  std::unique_lock lock(mutex_);
  Capture& from = capture(stream);
  std::size_t at = 0;
  while (true) {
    for (std::size_t end; (end = from.text.find('\n', at)) != std::string::npos; at = end + 1) {
      std::string line = from.text.substr(at, end - at);
      std::size_t& looked = from.looked[stream == Stream::err ? writer_of(line) : ""];
      if (at < looked || !std::regex_search(line, pattern)) continue;
      looked = end + 1;
      return line;
    }
    if (from.ended || (more_.wait_until(lock, until) == std::cv_status::timeout && Clock::now() >= until)) {
      const std::string why = from.ended ? "output ended" : "waited in vain";
      lock.unlock();
      throw Failure(why + " before the line that was expected.\n" + logs());
    }
  }
}

void Process::type(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t taken = ::write(input_.get(), text.data(), text.size());
    if (taken < 0) throw Failure("process " + std::to_string(pid_) + " reads no more.\n" + logs());
    text.remove_prefix(static_cast<std::size_t>(taken));
  }
}

void Process::signal(int number) const {
  if (::kill(pid_, number) != 0) throw Failure("process " + std::to_string(pid_) + " is gone.\n" + logs());
}

Ended Process::await_exit(Milliseconds limit) {
  if (reaped_) return ended_;
  try {
    ended_ = harness::await_exit(pid_, limit);
  } catch (const Failure& failure) {
    throw Failure(std::string(failure.what()) + "\n" + logs());
  }
  reaped_ = true;
  return ended_;
}

void Process::await_end_of_output() {
  std::unique_lock lock(mutex_);
  auto ended = [this] { return captures_[0].ended && captures_[1].ended; };
  if (more_.wait_for(lock, wait_max, ended)) return;
  lock.unlock();
  throw Failure("somebody still holds the output of process " + std::to_string(pid_) + ".\n" + logs());
}

void Process::read_pipes() {
  pollfd waits[3];
  for (int i = 0; i < 2; ++i) waits[i] = {captures_[i].pipe.get(), POLLIN, 0};
  waits[2] = {stop_reading_.get(), POLLIN, 0};
  while (waits[0].fd >= 0 || waits[1].fd >= 0) {
    ::poll(waits, 3, -1);
    if (waits[2].revents != 0) return;
    for (int i = 0; i < 2; ++i) {
      if (waits[i].fd < 0 || waits[i].revents == 0) continue;
      std::lock_guard lock(mutex_);
      take(captures_[i]);
      if (captures_[i].ended) waits[i].fd = -1;
    }
  }
}

void Process::take(Capture& from) const {
  char piece[64 * 1024];  // the capacity of a pipe
  const ssize_t got = ::read(from.pipe.get(), piece, sizeof piece);
  if (got > 0) {
    from.text.append(piece, static_cast<std::size_t>(got));
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    from.ended = true;
  }
  more_.notify_all();
}

std::string Process::logs() const {
  auto tail = [](const std::string& text) { return text.size() > 8000 ? "…" + text.substr(text.size() - 8000) : text; };
  return "--- standard output of " + std::to_string(pid_) + "\n" + tail(out()) + "\n--- standard error\n" +
         tail(err()) + "\n---";
}

Outcome run(const Command& command) {
  Process process(command);
  Ended ended = process.await_exit(command.patience);
  process.await_end_of_output();
  return {ended.code, process.out(), process.err()};
}

bool can_trace() {
  try {
    return run({{"strace", "-f", "-qq", "-o", "/dev/null", "true"}}).code == 0;
  } catch (const Failure&) {
    return false;
  }
}

}  // namespace baton::harness
