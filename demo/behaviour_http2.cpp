#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <memory>

#include "clients/http2_service.hpp"
#include "demo/behaviours.hpp"
#include "demo/origin.hpp"

namespace baton::demo {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds stream_beat{20};

// One connection. It is owned by the two coroutines that read and write.
class Service {
 public:
  Service(Wire client, const Replier& reply)
      : client_(std::move(client)), wake_(client_.get_executor()), reply_(reply) {}

  static asio::awaitable<void> read(std::shared_ptr<Service> self, std::string begun) {
    std::array<char, 32 * 1024> bytes;
    for (std::string_view got = begun; !self->has_ended_ && self->service_.receive(got);) {
      self->wake_.cancel();
      const auto [error, count] = co_await self->client_.async_read_some(asio::buffer(bytes), as_result);
      if (error) break;
      got = {bytes.data(), count};
    }
    self->end();
  }

  static asio::awaitable<void> write(std::shared_ptr<Service> self) {
    auto next_beat = std::chrono::steady_clock::now();
    while (!self->has_ended_) {
      if (std::chrono::steady_clock::now() >= next_beat) {
        self->service_.tick();
        next_beat += stream_beat;
      }
      const std::string bytes = self->service_.take_unsent();
      if (bytes.empty()) {
        self->wake_.expires_at(next_beat);
        co_await self->wake_.async_wait(as_result);
        continue;
      }
      const auto [error, count] = co_await asio::async_write(self->client_, asio::buffer(bytes), as_result);
      if (error) break;
    }
    self->end();
  }

 private:
  std::optional<clients::Http2Answer> answer(std::string_view target) {
    Reply said = reply_(target);
    if (said.then == Reply::Then::stay_silent) return std::nullopt;
    if (said.then == Reply::Then::close_without_answer) {
      end();
      return std::nullopt;
    }
    return clients::Http2Answer{
        .status = said.status, .body = std::move(said.body), .announces_end = said.then == Reply::Then::close};
  }

  void end() {
    has_ended_ = true;
    wake_.cancel();
    client_.close();
  }

  Wire client_;
  asio::steady_timer wake_;
  const Replier& reply_;  // outlives the connection
  clients::Http2Service service_{[this](std::string_view target) { return answer(target); }};
  bool has_ended_ = false;
};

}  // namespace

asio::awaitable<void> serve_http2(Wire client, const Replier& reply, std::string begun) {
  auto executor = client.get_executor();
  const auto service = std::make_shared<Service>(std::move(client), reply);
  asio::co_spawn(executor, Service::write(service), asio::detached);
  co_await Service::read(service, std::move(begun));
}

}  // namespace baton::demo
