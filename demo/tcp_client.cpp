#include "demo/tcp_client.hpp"

#include <fmt/format.h>

namespace baton::demo {

TcpClient::TcpClient(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account)
    : SocketClient(context, server, number, account), talk_(fmt::format("tcp client {}", number)), ticker_(context) {}

void TcpClient::on_open() {
  say_more();
  ticker_.start(message_interval, [this] { say_more(); });
}

void TcpClient::say_more() {
  if (over()) return ticker_.stop();
  const std::string message = talk_.next();
  if (message.empty()) return;
  if (talk_.all_returned()) be_patient();
  talk_.expect(message);
  send(message);
}

void TcpClient::on_bytes(std::string_view bytes) {
  if (!talk_.take(bytes)) return fail(Trouble::wrong_answer, "an echo of something else");
  for (auto messages = talk_.collect(); messages > 0; --messages) account().add_answered();
  be_patient();
  if (!talk_.all_returned()) return;
  if (finishing()) return prove();
  be_content();
}

void TcpClient::on_finish() {
  say_more();
  ticker_.stop();
}

}  // namespace baton::demo
