#include "demo/load.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "demo/half_head_client.hpp"
#include "demo/idle_client.hpp"
#include "demo/steady_client.hpp"

namespace baton::demo {

namespace asio = boost::asio;

namespace {
constexpr std::chrono::milliseconds watch_interval{25};
}

Mix Mix::of(unsigned clients, unsigned requests_per_second) {
  Mix mix;
  mix.idle = std::max(1u, clients / 10);
  mix.half_head = std::max(1u, clients / 10);
  mix.steady = std::max(clients, 3u) - mix.idle - mix.half_head;
  mix.pause = Microseconds{std::uint64_t{mix.steady} * 1'000'000 / std::max(1u, requests_per_second)};
  return mix;
}

Load::Load(asio::ip::tcp::endpoint server, const Mix& mix, Tally& tally) : unfinished_(mix.clients()) {
  unsigned number = 0;
  for (unsigned i = 0; i < mix.steady; ++i) {
    clients_.push_back(std::make_unique<SteadyClient>(context_, server, ++number, tally, mix.pause));
  }
  for (unsigned i = 0; i < mix.idle; ++i) {
    clients_.push_back(std::make_unique<IdleClient>(context_, server, ++number, tally));
  }
  for (unsigned i = 0; i < mix.half_head; ++i) {
    clients_.push_back(std::make_unique<HalfHeadClient>(context_, server, ++number, tally));
  }
  for (const auto& client : clients_) client->start();
  watch();
  thread_ = std::thread([this] { context_.run(); });
}

Load::~Load() {
  context_.stop();
  thread_.join();
}

void Load::upgrade_passed() {
  asio::post(context_, [this] {
    for (const auto& client : clients_) client->upgrade_passed();
  });
}

void Load::finish() {
  asio::post(context_, [this] {
    for (const auto& client : clients_) client->finish();
  });
}

void Load::watch() {
  const auto now = Clock::now();
  std::size_t unfinished = 0;
  for (const auto& client : clients_) {
    client->check(now);
    if (!client->over()) ++unfinished;
  }
  unfinished_ = unfinished;
  watch_timer_.expires_after(watch_interval);
  watch_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) watch();
  });
}

}  // namespace baton::demo
