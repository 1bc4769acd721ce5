// Legs that are streams of HTTP/2, on a connection that the exchanges of one client share.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proxy/upstream/greeting.hpp"
#include "proxy/worker/connection.hpp"
#include "proxy/worker/upstream_side.hpp"
#include "proxy/worker/worker.hpp"

namespace baton::proxy {

namespace {

constexpr std::string_view allows_no_streams = "HTTP/2: it allows no streams (SETTINGS_MAX_CONCURRENT_STREAMS)";

}  // namespace

// By a server that may speak it.
bool UpstreamSide::may_be_carried_now(const state::Exchange& exchange) const {
  if (!std::holds_alternative<state::Connecting>(exchange.phase)) return false;
  // Every server knows an upgrade of HTTP/1.1.
  return upstream_->protocol() == config::ServerProtocol::http2 || !exchange.request.wants_upgrade;
}

// Streams that come together share what the first one connects.
bool UpstreamSide::follows(upstream::Server& server, std::int64_t connect_ms) {
  if (upstream_->proxy_header() || server.agrees_on == upstream::Server::Agreed::http1) return false;
  Carriers& carriers = owner_.connection().carriers();
  const bool follows = carriers.may_follow(server, upstream_->requests_per_connection());
  if (follows) {
    carriers.await(server, owner_);
    const std::int64_t handshakes_ms = 2 * worker_.settings().handshake_ms;  // of TLS, and of HTTP/2
    // As long as leaders fail, each follower leads in turn, but none waits longer than for one of them.
    if (following_until_ms_ == 0) following_until_ms_ = worker_.now_ms() + connect_ms + handshakes_ms;
    stands_ = Following{following_until_ms_};
  } else {
    carriers.lead(server, owner_);
    leads_ = true;
  }
  return follows;
}

UpstreamSide::Progress UpstreamSide::begin_http2(std::unique_ptr<tls::Stream> stream, Leg leg,
                                                 state::Exchange& exchange) {
  http2::begin_as_client(leg->frames.emplace(), *leg, worker_.http2_terms());
  stands_ = Greeting{std::move(stream), std::move(leg), worker_.now_ms() + worker_.settings().handshake_ms};
  return greet(exchange);
}

UpstreamSide::Progress UpstreamSide::greet(state::Exchange& exchange) {
  auto& [stream, leg, deadline_ms] = std::get<Greeting>(stands_);
  switch (upstream::greet(*stream, *leg, worker_.now_ms(), worker_.http2_scratch())) {
    case upstream::Greeted::waiting:
      return Progress::waiting;
    case upstream::Greeted::failed:
      return failed(fmt::format("HTTP/2: {}", worker_.http2_scratch().failure));
    // For a short time, as RFC 9113 §6.5.2 has it; but another server may take the request at once.
    case upstream::Greeted::full:
      return has_another_server(exchange) ? failed(allows_no_streams) : Progress::waiting;
    case upstream::Greeted::done:
      break;
  }
  server_->note_success();
  upstream_->counts.connect.add(worker_.now_ms() - leg->opened_ms);
  Carrier& carrier = owner_.connection().carriers().add(std::move(stream), std::move(leg));
  const Progress progress = join(carrier, exchange);
  end_lead(true);
  return progress;
}

// If the one that it is connecting to fails.
bool UpstreamSide::has_another_server(const state::Exchange& exchange) const {
  const auto* request = std::get_if<state::Connecting>(&exchange.phase);
  const auto& retries = owner_.rules().retries;
  const unsigned most = retries && (retries->on & config::on_connect) == 0 ? 1 : servers();
  return request != nullptr && request->attempts + 1u < (retries ? std::min<unsigned>(retries->attempts, most) : most);
}

UpstreamSide::Progress UpstreamSide::expire_greeting() {
  const state::UpstreamLeg& leg = *std::get<Greeting>(stands_).leg;
  if (leg.frames->settings_came) return failed(allows_no_streams, Progress::unavailable);
  return failed("HTTP/2: its SETTINGS have not come", Progress::timed_out);
}

UpstreamSide::Progress UpstreamSide::join(Carrier& carrier, state::Exchange& exchange) {
  if (exchange.request.wants_upgrade && !carrier.leg().frames->takes_connect) {
    worker_.note_connect_failure(server_->address, "HTTP/2: it takes no WebSockets (SETTINGS_ENABLE_CONNECT_PROTOCOL)");
    owner_.connection().carriers().release_if_unused(carrier);
    drop(false);
    return Progress::unreachable;
  }
  state::UpstreamLeg& of = carrier.leg();
  carrier.make_room();
  Leg leg = state::UpstreamLeg{};
  leg->upstream = of.upstream;
  leg->server = of.server;
  leg->reused = of.reused;
  leg->requests = of.requests + 1;
  leg->opened_ms = of.opened_ms;
  leg->carrier = of.carrier;
  http2::begin_stream(*of.frames, *leg);
  leg->read_at_ms = leg->write_at_ms = worker_.now_ms();
  // From here on nothing needs memory.
  exchange.upstream = std::move(leg);
  if (exchange.access) exchange.access->connected_ms = worker_.now_ms();
  carrier.join(owner_);
  stands_ = Carried{};
  following_until_ms_ = 0;
  ++of.requests;
  ++server_->counts.requests;
  return Progress::connected;
}

void UpstreamSide::pass_lead(bool is_connected) {
  owner_.connection().carriers().end_lead(owner_, is_connected);
}

void UpstreamSide::adopt_stream() {
  stands_ = Carried{};
  owner_.connection().carriers().with(owner_.side().upstream()->carrier).join(owner_);
}

// Not by `drop`: the exchange has no leg any more.
void UpstreamSide::leave(const state::UpstreamLeg& leg) {
  use(nullptr);
  stands_ = Nothing{};
  owner_.connection().carriers().leave(owner_, leg);
}

}  // namespace baton::proxy
