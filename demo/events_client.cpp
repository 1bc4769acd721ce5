#include "demo/events_client.hpp"

#include <fmt/format.h>

#include "clients/dialogue.hpp"

namespace baton::demo {

EventsClient::EventsClient(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account)
    : StreamClient(context, server, number, account, fmt::format("{}{}", clients::events_prefix, number)),
      judge_(target()) {}

std::string EventsClient::judge(const Head& head) {
  if (head["Content-Type"] != "text/event-stream") return "another content type";
  if (head["Transfer-Encoding"] != "chunked") return "an answer that is not chunked";
  return judge_status(head.result_int(), 200);
}

void EventsClient::on_body(std::string_view bytes) {
  const std::uint64_t before = judge_.events();
  if (const std::string wrong = judge_.take(bytes); !wrong.empty()) return fail(Trouble::wrong_answer, wrong);
  if (judge_.ended()) return fail(Trouble::wrong_answer, "the end of a stream without end");
  if (judge_.events() == before) return;
  for (std::uint64_t more = judge_.events() - before; more > 0; --more) account().add_answered();
  be_patient();
  if (finishing()) prove();
}

}  // namespace baton::demo
