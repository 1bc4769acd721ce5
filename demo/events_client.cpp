#include "demo/events_client.hpp"

#include <fmt/format.h>

#include "demo/dialogue.hpp"

namespace baton::demo {

EventsClient::EventsClient(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account)
    : StreamClient(context, server, number, account, fmt::format("{}{}", events_prefix, number)) {}

std::string EventsClient::judge(const Head& head) {
  if (head["Content-Type"] != "text/event-stream") return "another content type";
  if (head["Transfer-Encoding"] != "chunked") return "an answer that is not chunked";
  return judge_status(head.result_int(), 200);
}

void EventsClient::on_body(std::string_view bytes) {
  if (!chunks_.read(bytes, unread_)) return fail(Trouble::wrong_answer, "broken chunks");
  if (chunks_.ended()) return fail(Trouble::wrong_answer, "the end of a stream without end");
  for (;;) {
    const std::string event = expected_event(target(), serial_);
    const std::string_view here(unread_);
    if (!here.starts_with(std::string_view(event).substr(0, here.size()))) {
      return fail(Trouble::wrong_answer, fmt::format("something else than event {}", serial_));
    }
    if (here.size() < event.size()) return;
    unread_.erase(0, event.size());
    ++serial_;
    account().add_answered();
    be_patient();
    if (finishing()) return prove();
  }
}

}  // namespace baton::demo
