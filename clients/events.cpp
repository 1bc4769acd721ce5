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
  std::string data;
  if (!chunks_.read(bytes, data)) return "broken chunks";
  if (std::string wrong = take_data(data); !wrong.empty()) return wrong;
  return chunks_.ended() && is_within_an_event() ? fmt::format("the end within event {}", serial_) : std::string();
}

std::string EventJudge::take_data(std::string_view bytes) {
  unread_ += bytes;
  for (;;) {
    const std::string event = expected_event(target_, serial_);
    const std::string_view here(unread_);
    if (!here.starts_with(std::string_view(event).substr(0, here.size()))) {
      return fmt::format("something else than event {}", serial_);
    }
    if (here.size() < event.size()) return {};
    unread_.erase(0, event.size());
    ++serial_;
  }
}

}  // namespace baton::clients
