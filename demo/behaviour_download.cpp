#include <fmt/format.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "clients/content.hpp"
#include "clients/dialogue.hpp"
#include "demo/behaviours.hpp"

namespace baton::demo {

namespace asio = boost::asio;

asio::awaitable<void> send_download(Wire& client, std::string target, Pace pace) {
  std::string bytes =
      fmt::format("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n{}: {}\r\n\r\n",
                  clients::download_bytes, clients::echo_field, target);
  const clients::Content content(target);
  asio::steady_timer timer(client.get_executor(), std::chrono::steady_clock::now());
  for (std::uint64_t sent = 0; sent < clients::download_bytes; sent += pace.piece_bytes) {
    bytes += content.at(sent, pace.piece_bytes);
    const auto [error, written] = co_await asio::async_write(client, asio::buffer(bytes), as_result);
    if (error) co_return;
    bytes.clear();
    if (pace.pause.count() == 0) continue;
    timer.expires_at(timer.expiry() + pace.pause);
    const auto [stopped] = co_await timer.async_wait(as_result);
    if (stopped) co_return;
  }
}

}  // namespace baton::demo
