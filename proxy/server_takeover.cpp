// The server and processes that somebody else started: how one of them succeeds it.
#include "proxy/runtime/log.hpp"
#include "proxy/server.hpp"

namespace baton::proxy {

namespace log = runtime::log;

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
