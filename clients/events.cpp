#include "clients/events.hpp"

#include <fmt/format.h>

#include <utility>

#include "clients/dialogue.hpp"

namespace baton::clients {

std::string EventStream::next() {
  ++serial_;
  const std::string wire = chunk(expected_event(target_, serial_));
  const std::size_t cut = 1 + serial_ * 7 % (wire.size() - 1);
  return std::exchange(rest_, wire.substr(cut)) + wire.substr(0, cut);
}

std::string EventJudge::take(std::string_view bytes) {
  if (!chunks_.read(bytes, unread_)) return "broken chunks";
  for (;;) {
    const std::string event = expected_event(target_, serial_);
    const std::string_view here(unread_);
    if (!here.starts_with(std::string_view(event).substr(0, here.size()))) {
      return fmt::format("something else than event {}", serial_);
    }
    if (here.size() < event.size()) {
      return chunks_.ended() && !here.empty() ? fmt::format("the end within event {}", serial_) : std::string();
    }
    unread_.erase(0, event.size());
    ++serial_;
  }
}

}  // namespace baton::clients
