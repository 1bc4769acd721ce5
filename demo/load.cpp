#include "demo/load.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <type_traits>

#include "demo/download_client.hpp"
#include "demo/events_client.hpp"
#include "demo/half_head_client.hpp"
#include "demo/idle_client.hpp"
#include "demo/newcomers.hpp"
#include "demo/steady_client.hpp"
#include "demo/tcp_client.hpp"
#include "demo/upload_client.hpp"
#include "demo/websocket_client.hpp"

namespace baton::demo {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds watch_interval{25};
constexpr unsigned newcomers_begin = 1'000'000;  // each transport's with the next million

}  // namespace

Mix Mix::of(unsigned clients, unsigned requests_per_second) {
  const unsigned handful = std::clamp(clients / 36, 1u, 5u);
  Mix mix{.idle = std::max(1u, clients / 10), .half_head = std::max(1u, clients / 10)};
  for (unsigned* kind : {&mix.download, &mix.slow_reader, &mix.events, &mix.upload, &mix.websocket, &mix.raw_tcp}) {
    *kind = handful;
  }
  mix.keep_alive = std::max(clients, mix.clients() + 1) - mix.clients();
  mix.newcomers_per_second = std::max(10u, requests_per_second / 60);
  mix.pause = Microseconds{std::uint64_t{mix.keep_alive} * 1'000'000 / std::max(1u, requests_per_second)};
  return mix;
}

Mix Mix::requests_only() const {
  return {.keep_alive = keep_alive, .idle = idle, .half_head = half_head, .pause = pause};
}

std::array<Mix, transports> mix_by_transport(unsigned clients, unsigned requests_per_second) {
  const Mix tls13 = Mix::of(clients / 4, requests_per_second / 4);
  const Mix tls12 = Mix::of(clients / 8, requests_per_second / 8);
  const unsigned with_tls = tls13.clients() + tls12.clients();
  const Mix plain = Mix::of(std::max(clients, with_tls) - with_tls,
                            requests_per_second - requests_per_second / 4 - requests_per_second / 8);
  return {plain, tls13, tls12};
}

Load::Load(const std::vector<Crowd>& crowds, Tally& tally) {
  for (const Crowd& crowd : crowds) add(crowd, tally);
  for (const auto& client : clients_) client->start();
  watch();
  thread_ = std::thread([this] { context_.run(); });
}

Load::~Load() {
  context_.stop();
  thread_.join();
}

void Load::add(const Crowd& crowd, Tally& tally) {
  const auto& [transport, server, mix] = crowd;
  auto number = static_cast<unsigned>(clients_.size());
  const auto add_some = [&]<class SomeClient>(std::type_identity<SomeClient>, unsigned count, Kind kind,
                                              const Entrance& entrance, auto... habits) {
    for (unsigned i = 0; i < count; ++i) {
      Account& account = tally.account({kind, crowd.transport});
      clients_.push_back(std::make_unique<SomeClient>(context_, entrance, ++number, account, habits...));
    }
  };
  add_some(std::type_identity<SteadyClient>(), mix.keep_alive, Kind::keep_alive, server.http, mix.pause);
  add_some(std::type_identity<IdleClient>(), mix.idle, Kind::idle, server.http);
  add_some(std::type_identity<HalfHeadClient>(), mix.half_head, Kind::half_head, server.http);
  add_some(std::type_identity<DownloadClient>(), mix.download, Kind::download, server.http);
  add_some(std::type_identity<SlowReader>(), mix.slow_reader, Kind::slow_reader, server.http);
  add_some(std::type_identity<EventsClient>(), mix.events, Kind::events, server.http);
  add_some(std::type_identity<UploadClient>(), mix.upload, Kind::upload, server.http);
  add_some(std::type_identity<WebSocketClient>(), mix.websocket, Kind::websocket, server.http);
  add_some(std::type_identity<TcpClient>(), mix.raw_tcp, Kind::raw_tcp, server.tcp);
  if (mix.newcomers_per_second == 0) return;
  const unsigned begin = newcomers_begin * (1 + static_cast<unsigned>(transport));
  Account& account = tally.account({Kind::newcomer, transport});
  clients_.push_back(std::make_unique<Newcomers>(context_, server.http, begin, account, mix.newcomers_per_second));
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
