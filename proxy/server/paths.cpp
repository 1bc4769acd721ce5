// Where others find the running instance: its lock, its admin socket, its handoff socket. Somebody may remove a path (a
// cleaner, another unit's RuntimeDirectory). That takes nothing from any connection, and is mended by the next reload or
// upgrade.
#include <sys/stat.h>

#include <cerrno>

#include "proxy/runtime/log.hpp"
#include "proxy/server/server.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

}  // namespace

// As the holder of the lock. A predecessor that has the socket passes it on with its queue; others have none.
handoff::Result<void> Server::open_meeting_point() {
  if (!paths_.handoff_socket) return {};
  if (!takers_.has_meeting_point()) {
    auto point = handoff::MeetingPoint::open(*paths_.handoff_socket);
    if (!point) return std::unexpected(point.error());
    takers_.meet_at(std::move(*point));
  }
  takers_.resume();
  return {};
}

void Server::put_sockets_back() {
  bool changed = false;
  const auto anew = [&changed](const std::string& path, const std::function<void()>& make) {
    try {
      make();
      changed = true;
      log::warning("{} had been removed; it is there again", path);
    } catch (const std::exception& error) {
      log::warning("{} has been removed and cannot be made anew: {}", path, error.what());
    }
  };
  admin_.put_back(anew);
  if (takers_.has_meeting_point() && is_gone(*paths_.handoff_socket)) {
    anew(*paths_.handoff_socket, [this] {
      auto point = handoff::MeetingPoint::open(*paths_.handoff_socket);
      if (!point) throw std::runtime_error(point.error().text);
      takers_.close();
      takers_.meet_at(std::move(*point));
      takers_.resume();
    });
  }
  if (changed) announce();
}

// A successor takes the lock by its path. If somebody has removed the file, we hold a lock that nobody else can see:
// it is made anew before anything depends on it.
handoff::Result<void> Server::check_lock_path() {
  if (!paths_.lock || lock_.is_at(*paths_.lock)) return {};
  auto anew = handoff::InstanceLock::on_file(*paths_.lock);
  if (anew && anew->try_take()) {
    lock_ = std::move(*anew);
    log::warning("the lock {} had been removed; it is there again", *paths_.lock);
    return {};
  }
  return handoff::fail(handoff::Fault::system, "the lock " + *paths_.lock + " has been removed, and " +
                                                   (anew ? "another instance holds the new one" : anew.error().text));
}

}  // namespace baton::proxy
