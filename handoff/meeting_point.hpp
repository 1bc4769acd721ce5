// The path where an external successor connects to the running instance: a Unix socket whose connections are channels.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "handoff/result.hpp"
#include "handoff/unique_fd.hpp"

namespace baton::handoff {

// The process at the other end, according to the kernel. For an accepted socket, it is the one that connected; for a
// connected socket, the one that first listened, which may be generations ago.
struct Peer {
  pid_t pid = 0;                   // 0: in a PID namespace invisible to us
  uid_t user = 0;
  std::string text() const;        // "PID 7 (user 1000)"
};

std::optional<Peer> peer_of(int socket);
// Runs as our own user or as root.
bool is_trusted(const Peer& peer);

// The listening side. A path too long for a Unix socket is reached through its folder's descriptor.
class MeetingPoint {
 public:
  MeetingPoint() = default;

  // Listens at `path`, mode 0600. Only for the holder of the instance lock, which knows that an existing socket is
  // stale and replaces it. Any other kind of file is an error. No peer can connect before we listen.
  static Result<MeetingPoint> open(const std::string& path);
  // Uses the socket that a living predecessor passed on.
  static MeetingPoint inherited(UniqueFd socket, const std::string& path);

  int descriptor() const { return socket_.get(); }
  // Removes the path if it still belongs to this socket. Only the instance may call this.
  void withdraw();

 private:
  MeetingPoint(UniqueFd socket, std::string path) : socket_(std::move(socket)), path_(std::move(path)) {}
  void remember_file(const struct stat& file);

  UniqueFd socket_;
  std::string path_;
  dev_t device_ = 0;               // of the file, recorded while it was surely ours
  ino_t inode_ = 0;
};

// The connecting side. Fault::closed: no process listens there, or the file does not exist.
Result<UniqueFd> connect_to(const std::string& path, std::chrono::milliseconds limit);

}  // namespace baton::handoff
