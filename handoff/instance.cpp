#include "handoff/instance.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "handoff/temporary.hpp"

namespace baton::handoff {

namespace {

std::unexpected<Error> failed(const std::string& what) {
  return fail(Fault::system, what + ": " + std::strerror(errno));
}

}  // namespace

Result<InstanceLock> InstanceLock::on_file(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  // A user who can replace the link could give two instances a lock each.
  if (!fd && errno == ELOOP) return fail(Fault::system, "cannot open the lock " + path + ": it is a symbolic link");
  if (!fd) return failed("cannot open the lock " + path);
  return InstanceLock(std::move(fd));
}

Result<InstanceLock> InstanceLock::on_memory() {
  UniqueFd fd(::memfd_create("baton-instance-lock", MFD_CLOEXEC));
  if (!fd) return failed("cannot make a lock in memory");
  return reopened(std::move(fd));
}

Result<InstanceLock> InstanceLock::reopened(UniqueFd passed) {
  const std::string path = "/proc/self/fd/" + std::to_string(passed.get());
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  // Not `passed` itself: an older predecessor passes the descriptor that holds its lock.
  UniqueFd to_pass_on(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd || !to_pass_on) return failed("cannot reopen the lock in memory, " + path);
  return InstanceLock(std::move(fd), std::move(to_pass_on));
}

InstanceLock::InstanceLock(InstanceLock&& other) noexcept
    : fd_(std::move(other.fd_)),
      to_pass_on_(std::move(other.to_pass_on_)),
      held_(other.held_.exchange(false)),
      name_(other.name_.exchange(0)) {}

InstanceLock& InstanceLock::operator=(InstanceLock&& other) noexcept {
  fd_ = std::move(other.fd_);
  to_pass_on_ = std::move(other.to_pass_on_);
  held_ = other.held_.exchange(false);
  name_ = other.name_.exchange(0);
  return *this;
}

InstanceLock InstanceLock::held_through(UniqueFd descriptor) {
  InstanceLock lock(std::move(descriptor));
  lock.held_ = true;
  return lock;
}

bool InstanceLock::try_take() {
  if (held_) return true;
  // Read the file first: another successor's lock must not be held, not even for a moment.
  if (!fd_ || is_for_another() || ::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) return false;
  if (is_for_another()) {
    ::flock(fd_.get(), LOCK_UN);
    return false;
  }
  held_ = true;
  return true;
}

std::uint64_t InstanceLock::name_heir() {
  std::uint64_t name = 0;
  while (name == 0) {
    if (::getrandom(&name, sizeof name, 0) != sizeof name) break;
  }
  if (name != 0 && ::pwrite(fd_.get(), &name, sizeof name, 0) == sizeof name) return name_ = name;
  [[maybe_unused]] const int emptied = ::ftruncate(fd_.get(), 0);  // an empty file names no heir
  return 0;
}

bool InstanceLock::is_for_another() const {
  std::uint64_t heir = 0;
  return name_ != 0 && ::pread(fd_.get(), &heir, sizeof heir, 0) == sizeof heir && heir != name_;
}

bool InstanceLock::take_within(std::chrono::milliseconds limit) {
  // Poll, because flock has no timeout and a blocked call cannot be cancelled; the holder is about to release it.
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!try_take()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

bool InstanceLock::is_at(const std::string& path) const {
  struct stat there{};
  return ::stat(path.c_str(), &there) == 0 && identity() == FileIdentity{there.st_dev, there.st_ino};
}

FileIdentity InstanceLock::identity() const {
  struct stat ours{};
  return ::fstat(fd_.get(), &ours) == 0 ? FileIdentity{ours.st_dev, ours.st_ino} : FileIdentity{};
}

void InstanceLock::release() {
  if (held_) ::flock(fd_.get(), LOCK_UN);
  held_ = false;
}

Result<PidFile> PidFile::prepare(const std::string& path, pid_t pid) {
  PidFile file;
  file.path_ = path;
  file.pid_ = pid;
  if (auto written = file.write_temporary(); !written) return std::unexpected(written.error());
  return file;
}

Result<void> PidFile::write_temporary() {
  auto temporary = make_temporary_beside(path_, 0644);
  if (!temporary) return fail(Fault::system, "cannot write the PID file " + temporary.error().text);
  temporary_ = temporary->path;
  const std::string text = std::to_string(pid_) + "\n";
  if (::write(temporary->descriptor.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return failed("cannot write the PID file " + temporary->path);
  }
  return {};
}

PidFile::PidFile(PidFile&& other) noexcept
    : path_(std::move(other.path_)), temporary_(std::exchange(other.temporary_, {})), pid_(std::exchange(other.pid_, 0)) {}

PidFile& PidFile::operator=(PidFile&& other) noexcept {
  discard();
  path_ = std::move(other.path_);
  temporary_ = std::exchange(other.temporary_, {});
  pid_ = std::exchange(other.pid_, 0);
  return *this;
}

PidFile::~PidFile() { discard(); }

Result<void> PidFile::publish() {
  if (temporary_.empty()) {
    if (pid_ == 0 || named_in(path_) == pid_) return {};
    if (auto written = write_temporary(); !written) return written;
  }
  int renamed = ::rename(temporary_.c_str(), path_.c_str());
  if (renamed != 0 && errno == ENOENT) {
    // Another process took us for one that has failed, and removed it.
    if (auto written = write_temporary(); !written) return written;
    renamed = ::rename(temporary_.c_str(), path_.c_str());
  }
  if (renamed != 0) return failed("cannot write the PID file " + path_);
  temporary_.clear();
  discard_temporaries_beside(path_);
  return {};
}

void PidFile::withdraw() {
  discard();
  if (pid_ == 0) return;
  remove_if_it_names(path_, pid_);
  discard_temporaries_beside(path_);
  pid_ = 0;
}

void PidFile::remove_if_it_names(const std::string& path, pid_t pid) {
  if (named_in(path) == pid) ::unlink(path.c_str());
}

// O_NONBLOCK: opening a FIFO that another user put there would block for ever.
std::optional<pid_t> PidFile::named_in(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  char text[32];
  const ssize_t length = file ? ::read(file.get(), text, sizeof text) : -1;
  pid_t named = 0;
  if (length <= 0 || std::from_chars(text, text + length, named).ec != std::errc()) return std::nullopt;
  return named;
}

void PidFile::discard() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

}  // namespace baton::handoff
