// The server and processes that somebody else started: how one of them succeeds it.
#include "proxy/runtime/log.hpp"
#include "proxy/server/server.hpp"

namespace baton::proxy {

namespace log = runtime::log;

// It has said Hello.
void Server::taken_over_by(Taker taker) {
  if (const auto why_not = why_no_handover()) {
    log::warning("takeover: {} is refused: {}", taker.who.text(), *why_not);
    return Takers::refuse(std::move(taker), *why_not);
  }
  const auto begun = handoff::as_result([&]() -> handoff::Result<void> {
    if (auto ours = check_lock_path(); !ours) return ours;
    taker_ = taker.who.text();
    log::info("upgrade begins: {} takes over", taker_);
    return converse(taker.channel, 0);
  });
  if (begun) return;
  upgrade_failed_to_start(begun.error().text);
  Takers::refuse(std::move(taker), begun.error().text);
}

}  // namespace baton::proxy
