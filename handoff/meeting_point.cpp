#include "handoff/meeting_point.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "handoff/temporary.hpp"

namespace baton::handoff {

namespace {

constexpr int backlog = 128;

std::unexpected<Error> failed(const std::string& what, int error) {
  return fail(Fault::system, what + ": " + std::strerror(error));
}

// A path split into an open folder and a name in it.
struct Place {
  UniqueFd folder;
  std::string folder_path;
  std::string name;
};

Result<Place> place_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  Place place;
  place.folder_path = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  place.name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  place.folder = UniqueFd(::open(place.folder_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place.folder) {
    const int error = errno;
    return fail(error == ENOENT ? Fault::closed : Fault::system, place.folder_path + ": " + std::strerror(error));
  }
  return place;
}

// The address of `name` in that folder: the path if it fits, else a path through the folder's descriptor.
Result<sockaddr_un> address_of(const Place& place, const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string path = place.folder_path + "/" + name;
  if (path.size() >= sizeof address.sun_path) path = "/proc/self/fd/" + std::to_string(place.folder.get()) + "/" + name;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Fault::system, "the name " + name + " is too long for a Unix socket, in whatever folder");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

}  // namespace

std::string Peer::text() const {
  return (pid > 0 ? "PID " + std::to_string(pid) : std::string("a process in another PID namespace")) + " (user " +
         std::to_string(user) + ")";
}

std::optional<Peer> peer_of(int socket) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return std::nullopt;
  return Peer{credentials.pid, credentials.uid};
}

bool is_trusted(const Peer& peer) { return peer.user == 0 || peer.user == ::geteuid(); }

Result<MeetingPoint> MeetingPoint::open(const std::string& path) {
  const auto cannot = [&](const Error& error) { return fail(Fault::system, "cannot listen on " + path + ": " + error.text); };
  const auto place = place_of(path);
  if (!place) return cannot(place.error());
  const int folder = place->folder.get();
  struct stat there{};
  if (::fstatat(folder, place->name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISSOCK(there.st_mode)) {
    return cannot(
        {Fault::system, "something other than a socket is there; remove it, or give handoff.socket another path"});
  }
  // Bind a temporary name and rename it once the socket listens, so that no peer finds a socket that does not listen
  // yet.
  const std::string unfinished = temporary_beside(place->name);
  const auto address = address_of(*place, unfinished);
  if (!address) return cannot(address.error());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  // The file inherits the socket's mode.
  if (!socket || ::fchmod(socket.get(), 0600) != 0 || ::bind(socket.get(), generic(*address), sizeof *address) != 0 ||
      ::listen(socket.get(), backlog) != 0 || ::fstatat(folder, unfinished.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0 ||
      ::renameat(folder, unfinished.c_str(), folder, place->name.c_str()) != 0) {
    const int error = errno;
    ::unlinkat(folder, unfinished.c_str(), 0);
    return cannot({Fault::system, std::strerror(error)});
  }
  discard_temporaries_beside(path);
  MeetingPoint point(std::move(socket), path);
  point.remember_file(there);
  return point;
}

MeetingPoint MeetingPoint::inherited(UniqueFd socket, const std::string& path) {
  MeetingPoint point(std::move(socket), path);
  struct stat there{};
  if (::lstat(path.c_str(), &there) == 0 && S_ISSOCK(there.st_mode)) point.remember_file(there);
  return point;
}

void MeetingPoint::remember_file(const struct stat& file) {
  device_ = file.st_dev;
  inode_ = file.st_ino;
}

void MeetingPoint::withdraw() {
  struct stat there{};
  if (inode_ == 0 || ::lstat(path_.c_str(), &there) != 0) return;
  if (there.st_dev == device_ && there.st_ino == inode_) ::unlink(path_.c_str());
  inode_ = 0;
}

Result<UniqueFd> connect_to(const std::string& path, std::chrono::milliseconds limit) {
  const auto place = place_of(path);
  if (!place) return std::unexpected(place.error());
  const auto address = address_of(*place, place->name);
  if (!address) return std::unexpected(address.error());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return failed("no socket", errno);
  // The send timeout also limits how long connect waits while the queue is full.
  const timeval patience{limit.count() / 1000, static_cast<suseconds_t>(limit.count() % 1000 * 1000)};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(socket.get(), generic(*address), sizeof *address) == 0) return socket;
  switch (const int error = errno) {
    case ENOENT:
    case ECONNREFUSED:
      return fail(Fault::closed, std::strerror(error));
    case EAGAIN:
      return fail(Fault::timed_out, "cannot connect to " + path + ": the running instance does not accept connections");
    case EACCES:
      return failed("cannot connect to " + path + " (only the running instance's user and root may)", error);
    default:
      return failed("cannot connect to " + path, error);
  }
}

}  // namespace baton::handoff
