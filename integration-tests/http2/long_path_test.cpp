// Windows of HTTP/2 grow where the round trip takes long, in both roles, and across upgrades.
#include <gtest/gtest.h>

#include "harness/long_path.hpp"
#include "http2/chain.hpp"

namespace baton::harness {
namespace {

constexpr Milliseconds one_way{100};
// More bytes on their way than a window that has not grown (http2_stream_window), and more than one that has done so
// once.
constexpr std::size_t first_growth = 400'000;
constexpr std::size_t second_growth = 900'000;

class LongPaths : public Chain {
 protected:
  LongPaths() {
    origin.on("/sink", [](Exchange& exchange) {
      while (exchange.stream.await_bytes_forever()) exchange.stream.read_available();
      exchange.close = true;
    });
    origin.on("/endless", [](Exchange& exchange) {
      const std::string some = pattern(100'000);
      exchange.stream.send("HTTP/1.1 200 OK\r\n\r\n");
      while (exchange.stream.send_what_goes(some) == some.size()) {
      }
      exchange.close = true;
    });
  }
};

TEST_F(LongPaths, OfClientsCarryMoreAndMore) {
  Settings settings(origin.address());
  settings.handoff += ", finish_timeout: 50ms";
  Baton baton(settings);
  LongPath path(baton.address(), one_way);
  Http2Client client(path.address());
  const std::int32_t upload = client.begin_post("/sink");
  const auto upload_until = [&](std::size_t bytes) {
    const auto uploads = [&] {
      client.send(upload, std::string(1'000'000, 'x'));
      client.ping();
      return path.most_of_clients() >= bytes;
    };
    await(uploads, "the window to grow");
  };
  upload_until(first_growth);
  baton.upgrade();
  upload_until(second_growth);
}

TEST_F(LongPaths, ToServersCarryMoreAndMore) {
  back.emplace(back_settings());
  LongPath path(back->address(), one_way);
  Settings settings = front_settings();
  settings.servers = {{path.address()}};
  front.emplace(settings);
  Client client(front->address());
  client.send(get_request("/endless"));
  const auto download_until = [&](std::size_t bytes) {
    const auto downloads = [&] {
      client.read_exactly(1'000'000);
      return path.most_of_servers() >= bytes;
    };
    await(downloads, "the window to grow");
  };
  download_until(first_growth);
  front->upgrade();
  download_until(second_growth);
}

}  // namespace
}  // namespace baton::harness
