// The instance is the one process that holds the lock; only the instance writes the PID file.
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

// Identifies a file, in any mount namespace.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

// A flock, which the kernel releases when the process dies. It belongs to the open file description, so its descriptor
// is never passed on: a process with a copy would hold the lock as well.
class InstanceLock {
 public:
  InstanceLock() = default;
  InstanceLock(InstanceLock&& other) noexcept;
  InstanceLock& operator=(InstanceLock&& other) noexcept;

  // Opens the file (mode 0600, created if needed) without taking the lock. It may be empty; its first 8 bytes are ours.
  static Result<InstanceLock> on_file(const std::string& path);
  // For when no directory is writable: a lock on a memory file, which others open through `to_pass_on()`.
  static Result<InstanceLock> on_memory();
  // One that this process holds already, through this descriptor.
  static InstanceLock held_through(UniqueFd descriptor);
  // Opens the same file again through a descriptor that was passed to us, so that the lock is ours.
  static Result<InstanceLock> reopened(UniqueFd passed);

  // True: we hold it. A lock whose file names another heir is never taken. These may be called from several threads at
  // once.
  bool try_take();
  // Waits for it for at most `limit`.
  bool take_within(std::chrono::milliseconds limit);
  void release();
  bool held() const { return held_; }
  // Only the holder calls this. Writes a new name into the file; the holder sends it to the one successor that may take
  // the lock next. A successor of a failed attempt may still be waiting for the lock. 0: the file could not be written,
  // and any process may take the lock.
  std::uint64_t name_heir();
  // Our predecessor has sent us this name.
  void be_heir(std::uint64_t name) { name_ = name; }
  // Whether `path` is the file that this lock is on.
  bool is_at(const std::string& path) const;
  FileIdentity identity() const;
  // Stays this object's; -1: no file is open. A process that shares it holds the lock, too.
  int descriptor() const { return fd_.get(); }
  // For a lock on memory: a descriptor through which it can be opened, and which never holds it.
  int to_pass_on() const { return to_pass_on_.get(); }

 private:
  explicit InstanceLock(UniqueFd fd, UniqueFd to_pass_on = {}) : fd_(std::move(fd)), to_pass_on_(std::move(to_pass_on)) {}
  bool is_for_another() const;

  UniqueFd fd_;
  UniqueFd to_pass_on_;
  std::atomic<bool> held_ = false;
  std::atomic<std::uint64_t> name_ = 0;  // ours; 0: we have none
};

// Prepared in advance, so that publishing it is one rename, which cannot fail on a full disk.
class PidFile {
 public:
  PidFile() = default;
  // `pid` is what the file will contain: this process's or its supervisor's.
  static Result<PidFile> prepare(const std::string& path, pid_t pid);
  PidFile(PidFile&& other) noexcept;
  PidFile& operator=(PidFile&& other) noexcept;
  ~PidFile();                       // removes an unpublished temporary

  // The next two are for the instance only: they also remove temporaries of processes that were killed.
  // The file contains our `pid` from now on, whatever another process has written into it since it was last published.
  Result<void> publish();
  // Removes the file if it still contains our `pid`. Nothing is published afterwards.
  void withdraw();
  // The same on behalf of a process that is gone.
  static void remove_if_it_names(const std::string& path, pid_t pid);
  // The PID in the file.
  static std::optional<pid_t> named_in(const std::string& path);

 private:
  Result<void> write_temporary();
  void discard();

  std::string path_;
  std::string temporary_;           // empty once published
  pid_t pid_ = 0;
};

}  // namespace baton::handoff
