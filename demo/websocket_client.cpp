#include "demo/websocket_client.hpp"

#include <fmt/format.h>

#include "clients/dialogue.hpp"

namespace baton::demo {

namespace {

constexpr std::string_view normal_closure = "\x03\xe8";  // 1000

}  // namespace

WebSocketClient::WebSocketClient(boost::asio::io_context& context, const Entrance& server, unsigned number,
                                 Account& account)
    : StreamClient(context, server, number, account, fmt::format("{}{}", clients::websocket_prefix, number)),
      talk_(target()),
      ticker_(context),
      mask_(number * 2654435761u) {}

StreamClient::Request WebSocketClient::request() const {
  return {.fields = fmt::format("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: {}\r\n",
                                clients::websocket_key)};
}

std::string WebSocketClient::judge(const Head& head) {
  if (const std::string wrong = judge_status(head.result_int(), 101); !wrong.empty()) return wrong;
  if (head["Sec-WebSocket-Accept"] != std::string(clients::websocket_accept)) return "another Sec-WebSocket-Accept";
  return {};
}

void WebSocketClient::on_head() {
  if (finishing()) return say_goodbye();
  ticker_.start(message_interval, [this] { say_more(); });
}

void WebSocketClient::say_more() {
  if (over()) return ticker_.stop();
  const std::string message = talk_.next();
  if (!message.empty()) send_frame(clients::Opcode::binary, message);
}

void WebSocketClient::send_frame(clients::Opcode opcode, std::string_view payload) {
  if (talk_.all_returned()) be_patient();
  mask_ = mask_ * 1664525u + 1013904223u;
  talk_.expect(clients::encode_frame(opcode, payload));
  send(clients::encode_frame(opcode, payload, mask_));
}

void WebSocketClient::on_body(std::string_view bytes) {
  if (!talk_.take(bytes)) return fail(Trouble::wrong_answer, "an echo of something else");
  for (auto messages = talk_.collect(); messages > 0; --messages) account().add_answered();
  be_patient();
  if (!talk_.all_returned()) return;
  if (finishing()) return prove();
  be_content();
}

void WebSocketClient::on_finish() {
  if (head_is_here()) say_goodbye();
}

// The closing handshake: the close frame must come back too.
void WebSocketClient::say_goodbye() {
  ticker_.stop();
  say_more();
  send_frame(clients::Opcode::close, normal_closure);
}

}  // namespace baton::demo
