#include "demo/load.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <future>
#include <iterator>
#include <numeric>

#include "demo/download_client.hpp"
#include "demo/events_client.hpp"
#include "demo/grpc_client.hpp"
#include "demo/half_head_client.hpp"
#include "demo/http2_client.hpp"
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
constexpr unsigned newcomers_begin = 1'000'000;  // each transport begins at the next million

// A kind whose connections last.
struct Part {
  Kind kind;
  unsigned Mix::* number;
};
constexpr Part parts[] = {
    {Kind::keep_alive, &Mix::keep_alive},
    {Kind::idle, &Mix::idle},
    {Kind::half_head, &Mix::half_head},
    {Kind::download, &Mix::download},
    {Kind::events, &Mix::events},
    {Kind::upload, &Mix::upload},
    {Kind::slow_reader, &Mix::slow_reader},
    {Kind::raw_tcp, &Mix::raw_tcp},
    {Kind::websocket, &Mix::websocket},
    {Kind::http2, &Mix::http2},
    {Kind::grpc, &Mix::grpc},
};
static_assert(std::size(parts) == kinds - 1, "all but the newcomers");

// Null: the demo has no single client of this kind.
std::unique_ptr<Client> make_client(Kind kind, asio::io_context& context, const Entrances& server, unsigned number,
                                    Account& account, Microseconds pause) {
  switch (kind) {
    case Kind::keep_alive:
      return std::make_unique<SteadyClient>(context, server.http, number, account, pause);
    case Kind::idle:
      return std::make_unique<IdleClient>(context, server.http, number, account);
    case Kind::half_head:
      return std::make_unique<HalfHeadClient>(context, server.http, number, account);
    case Kind::download:
      return std::make_unique<DownloadClient>(context, server.http, number, account);
    case Kind::slow_reader:
      return std::make_unique<SlowReader>(context, server.http, number, account);
    case Kind::events:
      return std::make_unique<EventsClient>(context, server.http, number, account);
    case Kind::upload:
      return std::make_unique<UploadClient>(context, server.http, number, account);
    case Kind::websocket:
      return std::make_unique<WebSocketClient>(context, server.http, number, account);
    case Kind::http2:
      return std::make_unique<Http2Client>(context, server.http, number, account, pause);
    case Kind::grpc:
      return std::make_unique<GrpcClient>(context, server.http, number, account);
    case Kind::raw_tcp:
      return std::make_unique<TcpClient>(context, server.tcp, number, account);
    case Kind::newcomer:
    case Kind::pipelined:
    case Kind::large_bodies:
    case Kind::half_closed_by_client:
    case Kind::half_closed_by_server:
    case Kind::half_record:
    case Kind::half_hello:
    case Kind::key_updates:
      break;
  }
  return nullptr;
}

}  // namespace

unsigned Mix::clients() const {
  unsigned sum = 0;
  for (const Part& part : parts) sum += this->*part.number;
  return sum;
}

Mix Mix::of(unsigned clients, unsigned requests_per_second) {
  const unsigned handful = std::clamp(clients / 36, 1u, 5u);
  Mix mix{.idle = std::max(1u, clients / 10), .half_head = std::max(1u, clients / 10)};
  for (unsigned* kind : {&mix.download, &mix.slow_reader, &mix.events, &mix.upload, &mix.websocket, &mix.http2,
                         &mix.grpc, &mix.raw_tcp}) {
    *kind = handful;
  }
  mix.keep_alive = std::max(clients, mix.clients() + 1) - mix.clients();
  mix.newcomers_per_second = std::max(10u, requests_per_second / 60);
  const std::uint64_t asking = mix.keep_alive + std::uint64_t{Http2Client::asking_streams} * mix.http2;
  mix.pause = Microseconds{asking * 1'000'000 / std::max(1u, requests_per_second)};
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

unsigned clients(const std::array<Mix, transports>& mix) {
  return std::accumulate(mix.begin(), mix.end(), 0u, [](unsigned sum, const Mix& one) { return sum + one.clients(); });
}

unsigned newcomers_per_second(const std::array<Mix, transports>& mix) {
  return std::accumulate(mix.begin(), mix.end(), 0u,
                         [](unsigned sum, const Mix& one) { return sum + one.newcomers_per_second; });
}

std::vector<Crowd> crowds(const std::array<Mix, transports>& mix, const EntrancesByTransport& servers) {
  std::vector<Crowd> all;
  for (const Transport transport : all_transports) {
    all.push_back({transport, of(servers, transport), mix[static_cast<std::size_t>(transport)]});
  }
  return all;
}

Load::Load(const std::vector<Crowd>& crowds, Tally& tally) {
  for (const Crowd& crowd : crowds) add(crowd, tally);
  begin();
}

Load::Load(const Maker& make) : clients_(make(context_)) {
  begin();
}

void Load::begin() {
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
  for (const Part& part : parts) {
    Account& account = tally.account({part.kind, transport});
    for (unsigned i = 0; i < mix.*part.number; ++i) {
      clients_.push_back(make_client(part.kind, context_, server, ++number, account, mix.pause));
    }
  }
  if (mix.newcomers_per_second == 0) return;
  ++newcomers_;
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

void Load::rest(bool begins) {
  asio::post(context_, [this, begins] {
    for (const auto& client : clients_) client->rest(begins);
  });
}

void Load::ask() {
  std::promise<void> asked;
  asio::post(context_, [&] {
    moved_before_.clear();
    for (const auto& client : clients_) {
      moved_before_.push_back(client->moved_bytes());
      client->show_life();
    }
    silent_ = clients_.size();
    asked.set_value();
  });
  asked.get_future().wait();
}

void Load::watch() {
  const auto now = Clock::now();
  std::size_t unfinished = 0;
  std::size_t resting = 0;
  std::size_t silent = 0;
  std::uint64_t moved_bytes = 0;
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    Client& client = *clients_[i];
    client.check(now);
    moved_bytes += client.moved_bytes();
    if (client.over()) continue;
    ++unfinished;
    if (client.rests()) {
      ++resting;
      continue;
    }
    if (i < moved_before_.size() && client.moved_bytes() == moved_before_[i]) ++silent;
  }
  unfinished_ = unfinished;
  resting_ = resting;
  silent_ = silent;
  moved_bytes_ = moved_bytes;
  watch_timer_.expires_after(watch_interval);
  watch_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) watch();
  });
}

}  // namespace baton::demo
