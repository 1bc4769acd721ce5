#include <fmt/format.h>

#include <array>
#include <boost/asio/write.hpp>
#include <stdexcept>

#include "clients/dialogue.hpp"
#include "clients/frames.hpp"
#include "demo/behaviours.hpp"

namespace baton::demo {

namespace asio = boost::asio;

namespace {

// Removes the whole frames from `received`; appends their echoes to `answer`. False: that was the last.
bool answer_frames(std::string& received, std::string& answer) {
  while (const auto frame = clients::take_frame(received)) {
    if (!frame->masked) throw std::runtime_error("a client's frame without a mask");
    answer += clients::encode_frame(frame->opcode, frame->payload);
    if (frame->opcode == clients::Opcode::close) return false;
  }
  return true;
}

}  // namespace

asio::awaitable<void> echo_frames(Wire& client, std::string target, std::string begun) {
  std::string received = std::move(begun);
  std::string answer = fmt::format(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Accept: {}\r\n{}: {}\r\n\r\n",
      clients::websocket_accept, clients::echo_field, target);
  std::array<char, 16 * 1024> bytes;
  for (bool open = true; open;) {
    try {
      open = answer_frames(received, answer);
    } catch (const std::runtime_error&) {
      co_return;  // the client sees a close that it did not request
    }
    const auto [write_error, written] = co_await asio::async_write(client, asio::buffer(answer), as_result);
    answer.clear();
    if (write_error || !open) co_return;
    const auto [read_error, count] = co_await client.async_read_some(asio::buffer(bytes), as_result);
    if (read_error) co_return;
    received.append(bytes.data(), count);
  }
}

}  // namespace baton::demo
