#include "proxy/worker/upstream_side.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <utility>

#include "proxy/state/failed_servers.hpp"
#include "proxy/upstream/connector.hpp"
#include "proxy/worker/affinity.hpp"
#include "proxy/worker/connection.hpp"
#include "proxy/worker/worker.hpp"

namespace baton::proxy {

namespace {

// A request that must not be sent twice goes only on a pooled connection that was used this lately.
constexpr std::int64_t quiet_within_ms = 1'000;

constexpr int attempts_max = 8;

bool lacks_descriptor(const upstream::Connecting& attempt) {
  return !attempt.socket && (attempt.error == EMFILE || attempt.error == ENFILE);
}

}  // namespace

void UpstreamSide::adopt(handoff::UniqueFd socket) {
  stands_ = Connected{std::make_unique<tls::Stream>(worker_.loop(), std::move(socket), owner_)};
}

void UpstreamSide::promise() { stands_.emplace<Promised>(worker_.loop()); }

void UpstreamSide::reconfigured(const state::UpstreamLeg* leg) {
  upstream_ = leg != nullptr ? worker_.pool().find(leg->upstream) : nullptr;
  const auto terms = [&] {
    return leg->stream ? state::terms_of(owner_.connection().carriers().with(leg->carrier).leg())
                       : state::terms_of(*leg);
  };
  use(upstream_ != nullptr ? upstream_->find(leg->server, terms()) : nullptr);
  if (connected() != nullptr) connected()->set_sessions(server_);
}

void UpstreamSide::use(upstream::Server* server) {
  if (server == server_) return;
  if (server_ != nullptr) server_->end_exchange();
  if (server != nullptr) server->begin_exchange();
  server_ = server;
}

tls::Stream* UpstreamSide::stream() const {
  if (const auto* one = std::get_if<Connected>(&stands_)) return one->stream.get();
  if (const auto* one = std::get_if<Connecting>(&stands_)) return one->stream.get();
  if (const auto* one = std::get_if<Handshaking>(&stands_)) return one->stream.get();
  if (const auto* one = std::get_if<Greeting>(&stands_)) return one->stream.get();
  return nullptr;
}

std::int64_t UpstreamSide::deadline_ms() const {
  if (const auto* one = std::get_if<Queued>(&stands_)) return one->deadline_ms;
  if (const auto* one = std::get_if<AwaitingDescriptor>(&stands_)) return one->again_ms;
  if (const auto* one = std::get_if<Connecting>(&stands_)) return one->deadline_ms;
  if (const auto* one = std::get_if<Handshaking>(&stands_)) return one->deadline_ms;
  if (const auto* one = std::get_if<Greeting>(&stands_)) return one->deadline_ms;
  if (const auto* one = std::get_if<Following>(&stands_)) return one->deadline_ms;
  return std::numeric_limits<std::int64_t>::max();
}

// ── Whether the server is well ────────────────────────────────────────────────────────────────────────────────────

std::uint64_t UpstreamSide::client_hash() const {
  return runtime::keyed_hash(upstream_->key(), owner_.client());
}

void UpstreamSide::note_unwell(std::string_view why) {
  upstream::Ejections* const ejections = server_ != nullptr ? upstream_->ejections() : nullptr;
  if (ejections != nullptr) ejections->note_failure(*server_->standing, client_hash(), worker_.now_ms(), why);
}

void UpstreamSide::note_well() {
  upstream::Ejections* const ejections = upstream_->ejections();
  if (ejections == nullptr || !ejections->is_suspected(*server_->standing)) return;
  ejections->note_success(*server_->standing, client_hash(), worker_.now_ms());
}

void UpstreamSide::note_answered(std::uint16_t status, std::int64_t elapsed_ms) {
  if (server_ == nullptr) return;
  server_->counts.latencies.add(elapsed_ms);
  if (upstream_ != nullptr) upstream_->counts.first_byte.add(elapsed_ms);
  const upstream::Ejections* const ejections = upstream_->ejections();
  if (ejections == nullptr) return;
  if (ejections->is_failure(status)) return note_unwell(fmt::format("status {}", status));
  note_well();
}

unsigned UpstreamSide::count_servers() const {
  return upstream_->servers(worker_.now_ms());
}

// ── The way to a server ───────────────────────────────────────────────────────────────────────────────────────────

UpstreamSide::Progress UpstreamSide::connect(const Asking& of) {
  end_lead();
  if (std::exchange(keeps_place_, false)) return reach(*server_, of);
  use(nullptr);
  upstream_ = worker_.upstream_for(*of.state.exchange, of.route);
  return upstream_ != nullptr ? choose(of) : Progress::unreachable;
}

upstream::Affinity UpstreamSide::affinity(const Asking& of) {
  const config::Balancing& balancing = upstream_->balancing();
  if (balancing.balance != config::Balance::hash && !balancing.sticky) return {};
  const state::Exchange& exchange = *of.state.exchange;
  const bool looks_at_client = balancing.hash.what == config::HashBy::What::client;
  std::string client;
  if (looks_at_client) client = owner_.client();
  return affinity_of(*upstream_, worker_.unsent_head(exchange, of.state.client.unread), client);
}

UpstreamSide::Progress UpstreamSide::choose(const Asking& of) {
  state::Exchange& exchange = *of.state.exchange;
  const bool has_failed = state::has_failed(exchange);
  if (upstream_->is_single() && !has_failed) {
    upstream::Server* const only = upstream_->only_one(worker_.now_ms());
    if (only != nullptr && only->may_begin()) return with(*only, 0, of);
  }
  std::vector<const upstream::Server*> failed;
  if (has_failed) failed = upstream_->failed_of(exchange);
  const upstream::Affinity affinity = this->affinity(of);
  const std::shared_ptr<upstream::Queue>& queue = upstream_->queue();
  upstream::Upstream::Choice choice;
  // Another worker may take the last place of a server that has few.
  for (int i = 0; i < attempts_max; ++i) {
    choice = upstream_->choose(worker_.now_ms(), affinity, failed);
    if (choice.server == nullptr) break;
    // Without `retries`, a request goes to each server once.
    const bool is_again = std::ranges::find(failed, choice.server) != failed.end();
    if (is_again && of.route != nullptr && !of.route->rules.retries) return Progress::unavailable;
    if (queue && queue->is_used() && choice.server->is_limited()) break;  // others have waited longer
    if (choice.server->may_begin()) return with(*choice.server, affinity.sticky, of);
  }
  const bool may_wait = queue && (choice.is_full || choice.server != nullptr);
  return may_wait ? enter_queue(exchange, choice.only) : Progress::unavailable;
}

UpstreamSide::Progress UpstreamSide::with(upstream::Server& server, std::uint64_t sticky, const Asking& of) {
  server_ = &server;
  state::Exchange& exchange = *of.state.exchange;
  if (exchange.queued_since_ms != 0) note_queued(exchange);
  const auto* request = std::get_if<state::Connecting>(&exchange.phase);
  const bool is_first = request != nullptr && request->attempts == 0 && !request->fresh;
  if (is_first && of.route != nullptr && of.route->rules.retries)
    upstream_->retry_budget().note_request(worker_.now_ms());
  exchange.sticky_cookie.clear();
  const auto& sticks = upstream_->balancing().sticky;
  const bool needs_cookie = sticks && sticky != server.tag && request != nullptr;
  if (needs_cookie) exchange.sticky_cookie = sticky_cookie(*sticks, server.tag, static_cast<bool>(owner_.connection().state().client.tls));
  return reach(server, of);
}

void UpstreamSide::note_queued(state::Exchange& exchange) const {
  const std::int64_t waited_ms = worker_.now_ms() - std::exchange(exchange.queued_since_ms, 0);
  upstream_->counts.queue.add(waited_ms);
  if (exchange.access) exchange.access->queued_ms += waited_ms;
}

void UpstreamSide::note_server(state::Exchange& exchange, const upstream::Server& server) const {
  state::AccessRecord& record = *exchange.access;
  record.upstream = server.address.text();
  record.upstream_name = upstream_->name();
  record.connected_ms = record.answered_ms = 0;  // of the last one
  const auto* request = std::get_if<state::Connecting>(&exchange.phase);
  const auto* tunnel = std::get_if<state::Tunnelling>(&exchange.phase);
  if (request != nullptr) record.retries = request->attempts;
  if (tunnel != nullptr) record.retries = tunnel->attempts;
}

// ── To a server ───────────────────────────────────────────────────────────────────────────────────────────────────

UpstreamSide::Progress UpstreamSide::reach(upstream::Server& server, const Asking& of) {
  state::Exchange& exchange = *of.state.exchange;
  // Recorded even if the server refuses: the log names the last server that the exchange went to.
  if (exchange.access) note_server(exchange, server);
  const auto* request = std::get_if<state::Connecting>(&exchange.phase);
  if (request != nullptr && request->attempts != 0) upstream_->counts.retries.add();
  const routing::Rules& rules = of.route != nullptr ? of.route->rules : worker_.rules();
  const bool may_be_carried = this->may_be_carried(exchange);
  if (may_be_carried && !upstream_->proxy_header()) {
    Carriers& carriers = owner_.connection().carriers();
    if (Carrier* const carrier = carriers.to(server, *upstream_, request->fresh)) return join(*carrier, exchange);
  }
  if (request != nullptr && !request->fresh && !upstream_->proxy_header()) {
    const bool may_be_lost = exchange.request.idempotent && rules.sends_lost_again();
    const std::int64_t within_ms = may_be_lost ? 0 : quiet_within_ms;
    upstream::IdleConnection idle = worker_.pool().take(server, worker_.now_ms(), within_ms, may_be_carried);
    if (idle.stream && idle.leg->frames) {
      return join(owner_.connection().carriers().add(std::move(idle.stream), std::move(idle.leg)), exchange);
    }
    if (idle.stream) {
      idle.stream->socket().set_owner(owner_);
      return attach(exchange, std::move(idle.stream), std::move(idle.leg));
    }
  }
  if (may_be_carried && follows(server, rules.connect_ms)) return Progress::waiting;
  return connect_to(server, exchange, of.route);
}

UpstreamSide::Progress UpstreamSide::connect_to(upstream::Server& server, state::Exchange& exchange,
                                                const routing::Route* route) {
  const std::int64_t connect_ms = (route != nullptr ? route->rules : worker_.rules()).connect_ms;
  if (is<Promised>()) stands_ = Nothing{};
  const auto begin = [&]() -> upstream::Connecting {
    if (!worker_.has_socket_for_server()) return {.error = EMFILE};
    return upstream::begin_connect(server.address, upstream_->keepalive_s());
  };
  upstream::Connecting attempt = begin();
  if (lacks_descriptor(attempt) && worker_.pool().idle() != 0) {
    // An idle connection's descriptor is worth less than one that is needed now.
    worker_.pool().trim(worker_.pool().idle() - 1);
    attempt = begin();
  }
  if (lacks_descriptor(attempt)) return await_descriptor(connect_ms);
  if (!attempt.socket) return failed(std::strerror(attempt.error));
  Leg leg = state::UpstreamLeg{
      {}, upstream_->name(), server.address, /*reused=*/false, /*requests=*/0, /*opened_ms=*/worker_.now_ms()};
  auto stream = std::make_unique<tls::Stream>(worker_.loop(), std::move(attempt.socket), owner_);
  if (!stream->watch()) return failed(std::strerror(attempt.error));
  if (attempt.established) return established(std::move(stream), std::move(leg), exchange);
  stream->socket().note_writable(false);
  stands_ = Connecting{std::move(stream), std::move(leg), worker_.now_ms() + connect_ms};
  return Progress::waiting;
}

UpstreamSide::Progress UpstreamSide::go_on(state::Exchange& exchange) {
  if (is<Handshaking>()) return shake(exchange);
  if (is<Greeting>()) return greet(exchange);
  auto& connecting = std::get<Connecting>(stands_);
  if (!connecting.stream->socket().writable()) return Progress::waiting;
  if (const int error = connecting.stream->socket().take_error(); error != 0) return failed(std::strerror(error));
  return established(std::move(connecting.stream), std::move(connecting.leg), exchange);
}

// Connected: TLS comes next, if the upstream uses it.
UpstreamSide::Progress UpstreamSide::established(std::unique_ptr<tls::Stream> stream, Leg leg,
                                                 state::Exchange& exchange) {
  const tls::ClientContext* const context = upstream_->tls();
  if (context == nullptr) {
    leg->unsent.append(header_for(exchange));
    if (may_be_carried(exchange)) return begin_http2(std::move(stream), std::move(leg), exchange);
    server_->note_success();
    return attach(exchange, std::move(stream), std::move(leg));
  }
  auto& handshaking = stands_.emplace<Handshaking>();
  handshaking.stream = std::move(stream);
  handshaking.leg = std::move(leg);
  handshaking.deadline_ms = worker_.now_ms() + worker_.settings().handshake_ms;
  tls::SslPtr ssl = context->make(server_->host);
  if (!ssl) return failed("TLS: the server has no name that a certificate could have");
  const bool may_be_carried = this->may_be_carried(exchange);
  if (may_be_carried) {
    tls::ClientContext::offer(*ssl, upstream_->protocol() == config::ServerProtocol::automatic
                                        ? std::initializer_list<std::string_view>{http2::alpn_name, "http/1.1"}
                                        : std::initializer_list<std::string_view>{http2::alpn_name});
  }
  const tls::SessionPtr session = server_->take_session();
  handshaking.stream->connect(std::move(ssl), session.get(), server_);
  handshaking.leg->tls.emplace().since_ms = worker_.now_ms();
  handshaking.leg->tls->sealed.append(header_for(exchange));  // ahead of the ClientHello
  return shake(exchange);
}

std::string UpstreamSide::header_for(const state::Exchange& exchange) const {
  if (!upstream_->proxy_header()) return {};
  sockaddr_storage name{};
  socklen_t length = sizeof name;
  const int descriptor = owner_.connection().client_descriptor();
  const bool is_known = ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &length) == 0;
  const state::ConnectionState& connection = owner_.connection().state();
  const state::SocketAddress& client = state::client_of(exchange, connection.client_address);
  // What a proxy said of this connection does not hold for a client behind it.
  const bool is_same_client = client == connection.client_address;
  return arrival::make_proxy_header(
      *upstream_->proxy_header(), client,
      is_known ? state::SocketAddress::from_sockaddr(name, length) : state::SocketAddress{},
      connection.proxy_fields && is_same_client ? connection.proxy_fields->view() : std::string_view());
}

UpstreamSide::Progress UpstreamSide::shake(state::Exchange& exchange) {
  auto& handshaking = std::get<Handshaking>(stands_);
  switch (handshaking.stream->shake(*handshaking.leg, nullptr)) {
    case tls::Stream::Shake::waiting:
      return Progress::waiting;
    case tls::Stream::Shake::failed:
      return failed(fmt::format("TLS: {}", handshaking.stream->failure()));
    case tls::Stream::Shake::done:
      break;
  }
  handshaking.leg->tls->facts.terms = server_->terms;
  if (may_be_carried(exchange)) {
    const bool is_http2 = handshaking.leg->tls->facts.alpn == http2::alpn_name;
    server_->agrees_on = is_http2 ? upstream::Server::Agreed::http2 : upstream::Server::Agreed::http1;
    if (is_http2) return begin_http2(std::move(handshaking.stream), std::move(handshaking.leg), exchange);
    if (upstream_->protocol() == config::ServerProtocol::http2) {
      return failed("TLS: it does not agree on HTTP/2 (ALPN)");
    }
  }
  server_->note_success();
  return attach(exchange, std::move(handshaking.stream), std::move(handshaking.leg));
}

UpstreamSide::Progress UpstreamSide::expire(const Asking& of) {
  if (is<AwaitingDescriptor>()) return connect(of);
  if (is<Queued>()) {
    stands_ = Nothing{};
    return connect(of);
  }
  if (is<Following>()) {
    drop(false);
    return Progress::timed_out;
  }
  if (is<Greeting>()) return expire_greeting();
  return failed(is<Handshaking>() ? "TLS: the handshake took too long" : std::strerror(ETIMEDOUT), Progress::timed_out);
}

UpstreamSide::Progress UpstreamSide::failed(std::string_view why, Progress how) {
  state::note_failed(*owner_.side().exchange, server_->address);
  if (upstream_->ejections() == nullptr) server_->note_failure(worker_.now_ms());
  ++server_->counts.failures;
  const auto kind = how == Progress::timed_out ? metrics::ConnectFailure::slow
                    : is<Handshaking>()        ? metrics::ConnectFailure::tls
                                               : metrics::ConnectFailure::connect;
  upstream_->counts.connect_failures[static_cast<std::size_t>(kind)].add();
  note_unwell(why);
  worker_.note_connect_failure(server_->address, why);
  drop(false);
  return how;
}

void UpstreamSide::give_up(std::string_view why) {
  if (server_ != nullptr) worker_.note_connect_failure(server_->address, why);
  drop(false);
}

// Both may be parts of `stands_`.
UpstreamSide::Progress UpstreamSide::attach(state::Exchange& exchange, std::unique_ptr<tls::Stream>&& stream,
                                            Leg&& leg) {
  leg->descriptor.number = stream->socket().descriptor();
  ++leg->requests;
  leg->write_at_ms = worker_.now_ms();
  if (!leg->reused && upstream_ != nullptr) upstream_->counts.connect.add(worker_.now_ms() - leg->opened_ms);
  exchange.upstream = std::move(leg);
  if (exchange.access) exchange.access->connected_ms = worker_.now_ms();
  stands_ = Connected{std::move(stream)};
  end_lead();
  following_until_ms_ = 0;
  ++server_->counts.requests;
  if (std::holds_alternative<state::Tunnelling>(exchange.phase)) {
    ++worker_.counters.tunnels;
    note_well();
  }
  return Progress::connected;
}

// ── The end of its leg ────────────────────────────────────────────────────────────────────────────────────────────

void UpstreamSide::park(state::Boxed<state::UpstreamLeg> leg) {
  if (is<Carried>()) return leave(*leg);
  std::unique_ptr<tls::Stream>& stream = std::get<Connected>(stands_).stream;
  // A FIN may have arrived with the last bytes.
  const bool is_quiet = !stream->readable(*leg) || stream->is_quiet(*leg, worker_.now_ms());
  const bool may_be_used_again =
      server_ != nullptr && upstream_ != nullptr && !upstream_->is_worn_out(*leg, worker_.now_ms());
  if (!may_be_used_again || worker_.stopping() || !is_quiet) return close(*leg);
  leg->reused = true;
  worker_.pool().give(*server_, {std::move(stream), std::move(leg), worker_.now_ms()});
  forget_server();
}

void UpstreamSide::close(state::UpstreamLeg& leg) {
  connected()->say_goodbye(leg);
  drop(false);
}

// What is left once its stream has been taken.
void UpstreamSide::forget_server() {
  keeps_place_ = false;
  following_until_ms_ = 0;
  use(nullptr);
  stands_ = Nothing{};
  end_lead();
}

void UpstreamSide::drop(bool with_reset) {
  if (is<Carried>()) return leave(*owner_.side().upstream());
  if (is<Following>()) owner_.connection().carriers().forget(owner_);
  std::unique_ptr<tls::Stream> stream;
  std::visit(
      [&]<class Stand>(Stand& stand) {
        if constexpr (requires { stand.stream; }) stream = std::move(stand.stream);
      },
      stands_);
  forget_server();
  if (!stream) return;
  if (with_reset) {
    stream->socket().close_with_reset();
  } else {
    stream->socket().close();
  }
  worker_.loop().dispose(std::move(stream));
}

}  // namespace baton::proxy
