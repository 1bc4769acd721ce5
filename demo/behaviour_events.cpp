#include <fmt/format.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "demo/behaviours.hpp"
#include "demo/chunks.hpp"
#include "demo/dialogue.hpp"

namespace baton::demo {

namespace asio = boost::asio;

namespace {
constexpr std::chrono::milliseconds beat{25};
}

asio::awaitable<void> send_events(Wire& client, std::string target) {
  std::string bytes = fmt::format(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
      "Transfer-Encoding: chunked\r\n{}: {}\r\n\r\n",
      echo_field, target);
  asio::steady_timer timer(client.get_executor(), std::chrono::steady_clock::now());
  for (std::uint64_t serial = 1;; ++serial) {
    // The rest of the chunk before, and this one's beginning: cut in its size, its data or its end, each time
    // elsewhere.
    const std::string chunk = encode_chunk(expected_event(target, serial));
    const std::size_t cut = 1 + serial * 7 % (chunk.size() - 1);
    bytes.append(chunk, 0, cut);
    const auto [error, written] = co_await asio::async_write(client, asio::buffer(bytes), as_result);
    if (error) co_return;
    bytes = chunk.substr(cut);
    timer.expires_at(timer.expiry() + beat);
    const auto [stopped] = co_await timer.async_wait(as_result);
    if (stopped) co_return;
  }
}

}  // namespace baton::demo
