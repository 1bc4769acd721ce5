// The path where a process that somebody else started meets the running instance: a Unix socket, whose connections are
// channels.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "handoff/result.hpp"
#include "handoff/unique_fd.hpp"

namespace baton::handoff {

// Who is at the other end, as the kernel says: of an accepted socket, who connected; of a connected one, who listened
// first, which may be generations ago.
struct Peer {
  pid_t pid = 0;                   // 0: in a PID namespace that we cannot see
  uid_t user = 0;
  std::string text() const;        // "PID 7 (user 1000)"
};

std::optional<Peer> peer_of(int socket);
// Of our own user, or root.
bool is_trusted(const Peer& peer);

// The listening side. Paths that are too long for a Unix socket are reached through their folder's descriptor.
class MeetingPoint {
 public:
  MeetingPoint() = default;

  // Listens there, mode 0600. For the holder of the instance lock only: it knows that a socket which is there already was
  // left behind, and replaces it. A file that is no socket is refused. No peer can connect before we listen.
  static Result<MeetingPoint> open(const std::string& path);
  // The one of a living predecessor, who passed it on.
  static MeetingPoint inherited(UniqueFd socket, const std::string& path);

  int descriptor() const { return socket_.get(); }
  // Removes the path if it is still this socket's; only the instance may call it.
  void withdraw();

 private:
  MeetingPoint(UniqueFd socket, std::string path) : socket_(std::move(socket)), path_(std::move(path)) {}
  void remember_file(const struct stat& file);

  UniqueFd socket_;
  std::string path_;
  dev_t device_ = 0;               // of the file, as it was when it was surely ours
  ino_t inode_ = 0;
};

// The connecting side. Fault::closed: no process listens there, or the file does not exist.
Result<UniqueFd> connect_to(const std::string& path, std::chrono::milliseconds limit);

}  // namespace baton::handoff
