#include <array>
#include <boost/asio/write.hpp>

#include "demo/behaviours.hpp"

namespace baton::demo {

namespace asio = boost::asio;

asio::awaitable<void> echo_bytes(Wire client) {
  std::array<char, 16 * 1024> bytes;
  for (;;) {
    const auto [read_error, count] = co_await client.async_read_some(asio::buffer(bytes), as_result);
    if (read_error) co_return;
    const auto [write_error, written] =
        co_await asio::async_write(client, asio::buffer(bytes.data(), count), as_result);
    if (write_error) co_return;
  }
}

}  // namespace baton::demo
