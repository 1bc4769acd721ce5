// The one process that is the instance: it holds the lock, and it alone names itself in the PID file.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "handoff/result.hpp"
#include "handoff/unique_fd.hpp"

namespace baton::handoff {

// Tells one file from another, in whatever mount namespace.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

// A flock that the kernel frees when its process dies. It belongs to the open file description, so the descriptor that
// has it is never passed on: a process with a copy would hold the lock as well.
class InstanceLock {
 public:
  InstanceLock() = default;
  InstanceLock(InstanceLock&& other) noexcept;
  InstanceLock& operator=(InstanceLock&& other) noexcept;

  // Opens the file (mode 0600, made if needed), and does not take the lock yet.
  static Result<InstanceLock> on_file(const std::string& path);
  // Where no directory can be written: a lock on memory, which others open anew from `to_pass_on()`.
  static Result<InstanceLock> on_memory();
  // The same file through a descriptor that was passed to us: an open file description, and so a lock, of our own.
  static Result<InstanceLock> reopened(UniqueFd passed);

  // True: we hold it. These may be called by several threads at once.
  bool try_take();
  // Waits for it, at most until `limit` has passed.
  bool take_within(std::chrono::milliseconds limit);
  void release();
  bool held() const { return held_; }
  // Whether `path` is the file that this lock is on.
  bool is_at(const std::string& path) const;
  FileIdentity identity() const;
  // Of a lock on memory: a descriptor that opens it, and never has it.
  int to_pass_on() const { return to_pass_on_.get(); }

 private:
  explicit InstanceLock(UniqueFd fd, UniqueFd to_pass_on = {}) : fd_(std::move(fd)), to_pass_on_(std::move(to_pass_on)) {}

  UniqueFd fd_;
  UniqueFd to_pass_on_;
  std::atomic<bool> held_ = false;
};

// Prepared beforehand, so that naming ourselves is one rename that cannot find the disk full.
class PidFile {
 public:
  PidFile() = default;
  // `pid` is whom the file will name: this process, or the one that supervises it.
  static Result<PidFile> prepare(const std::string& path, pid_t pid);
  PidFile(PidFile&& other) noexcept;
  PidFile& operator=(PidFile&& other) noexcept;
  ~PidFile();                       // removes a temporary that was not published

  // These two are for the instance only: they also remove what processes that were killed have left beside the file.
  Result<void> publish();
  // Removes the file if it still names whom we named.
  void withdraw();
  // The same for a process that is gone.
  static void remove_if_it_names(const std::string& path, pid_t pid);
  // Whom the file names.
  static std::optional<pid_t> named_in(const std::string& path);

 private:
  void discard();

  std::string path_;
  std::string temporary_;           // empty once published
  pid_t pid_ = 0;
};

}  // namespace baton::handoff
