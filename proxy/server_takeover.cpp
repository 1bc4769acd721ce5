// The server and processes that somebody else started: where they meet it, and how one of them succeeds it.
#include "proxy/runtime/log.hpp"
#include "proxy/server.hpp"

namespace baton::proxy {

namespace log = runtime::log;

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

// It has said Hello.
void Server::taken_over_by(Taker taker) {
  auto why_not = why_no_handover();
  if (!why_not && !lock_path_is_ours()) why_not = last_upgrade_->reason;
  if (why_not) {
    log::warning("takeover: {} is refused: {}", taker.who.text(), *why_not);
    return Takers::refuse(std::move(taker), *why_not);
  }
  taker_ = taker.who.text();
  log::info("upgrade begins: {} takes over", taker_);
  converse(std::move(taker.channel), 0);
}

}  // namespace baton::proxy
