#include <fmt/format.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "clients/dialogue.hpp"
#include "clients/events.hpp"
#include "demo/behaviours.hpp"

namespace baton::demo {

namespace asio = boost::asio;

namespace {
constexpr std::chrono::milliseconds beat{25};
}

asio::awaitable<void> send_events(Wire& client, std::string target) {
  std::string bytes = fmt::format(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
      "Transfer-Encoding: chunked\r\n{}: {}\r\n\r\n",
      clients::echo_field, target);
  asio::steady_timer timer(client.get_executor(), std::chrono::steady_clock::now());
  for (clients::EventStream events(target);;) {
    bytes += events.next();
    const auto [error, written] = co_await asio::async_write(client, asio::buffer(bytes), as_result);
    if (error) co_return;
    bytes.clear();
    timer.expires_at(timer.expiry() + beat);
    const auto [stopped] = co_await timer.async_wait(as_result);
    if (stopped) co_return;
  }
}

}  // namespace baton::demo
