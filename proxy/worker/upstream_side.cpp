#include "proxy/worker/upstream_side.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <limits>

#include "proxy/upstream/connector.hpp"
#include "proxy/worker/worker.hpp"

namespace baton::proxy {

namespace {

// A request that must not be sent twice goes only on a pooled connection that was used this lately.
constexpr std::int64_t quiet_within_ms = 1'000;

// The kernel reports no event when a descriptor becomes free.
constexpr std::int64_t look_again_ms = 100;

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
  use(upstream_ != nullptr ? upstream_->find(leg->server, state::terms_of(*leg)) : nullptr);
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
  return nullptr;
}

std::int64_t UpstreamSide::deadline_ms() const {
  if (const auto* one = std::get_if<AwaitingDescriptor>(&stands_)) return one->again_ms;
  if (const auto* one = std::get_if<Connecting>(&stands_)) return one->deadline_ms;
  if (const auto* one = std::get_if<Handshaking>(&stands_)) return one->deadline_ms;
  return std::numeric_limits<std::int64_t>::max();
}

// ── The way to a server ───────────────────────────────────────────────────────────────────────────────────────────

UpstreamSide::Progress UpstreamSide::connect(state::Exchange& exchange, const routing::Route* route) {
  upstream_ = worker_.upstream_for(exchange, route);
  if (upstream_ == nullptr) return Progress::unreachable;
  upstream::Server& server = upstream_->choose(worker_.now_ms());
  use(&server);
  // Recorded even if the server refuses: the log names the last server that the exchange went to.
  if (exchange.access) exchange.access->upstream = server.address.text();
  const auto* request = std::get_if<state::Connecting>(&exchange.phase);
  if (request != nullptr && !request->fresh && !upstream_->proxy_header()) {
    const std::int64_t within_ms = exchange.request.idempotent ? 0 : quiet_within_ms;
    upstream::IdleConnection idle = worker_.pool().take(server, worker_.now_ms(), within_ms);
    if (idle.stream) {
      idle.stream->socket().set_owner(owner_);
      return attach(exchange, std::move(idle.stream), std::move(idle.leg));
    }
  }
  return connect_to(server, exchange, route);
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
  Leg leg = state::UpstreamLeg{{}, upstream_->name(), server.address, false};
  auto stream = std::make_unique<tls::Stream>(worker_.loop(), std::move(attempt.socket), owner_);
  if (!stream->watch()) return failed(std::strerror(attempt.error));
  if (attempt.established) return established(std::move(stream), std::move(leg), exchange);
  stream->socket().note_writable(false);
  stands_ = Connecting{std::move(stream), std::move(leg), worker_.now_ms() + connect_ms};
  return Progress::waiting;
}

// Retries for as long as a connect may take.
UpstreamSide::Progress UpstreamSide::await_descriptor(std::int64_t connect_ms) {
  const auto* before = std::get_if<AwaitingDescriptor>(&stands_);
  const std::int64_t now_ms = worker_.now_ms();
  const std::int64_t until_ms = before != nullptr ? before->until_ms : now_ms + connect_ms;
  if (now_ms < until_ms) {
    stands_ = AwaitingDescriptor{until_ms, now_ms + look_again_ms};
    return Progress::waiting;
  }
  worker_.note_connect_failure(server_->address, std::strerror(EMFILE));
  drop(false);
  return Progress::unreachable;
}

UpstreamSide::Progress UpstreamSide::go_on(state::Exchange& exchange) {
  if (is<Handshaking>()) return shake(exchange);
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
    server_->note_success();
    return attach(exchange, std::move(stream), std::move(leg));
  }
  auto& handshaking = stands_.emplace<Handshaking>();
  handshaking.stream = std::move(stream);
  handshaking.leg = std::move(leg);
  handshaking.deadline_ms = worker_.now_ms() + worker_.settings().handshake_ms;
  tls::SslPtr ssl = context->make(server_->host);
  if (!ssl) return failed("TLS: the server has no name that a certificate could have");
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
  const int descriptor = connection_.client_descriptor();
  const bool is_known = ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &length) == 0;
  return arrival::make_proxy_header(
      *upstream_->proxy_header(), state::client_of(exchange, connection_.state().client_address),
      is_known ? state::SocketAddress::from_sockaddr(name, length) : state::SocketAddress{});
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
  server_->note_success();
  handshaking.leg->tls->facts.terms = server_->terms;
  return attach(exchange, std::move(handshaking.stream), std::move(handshaking.leg));
}

UpstreamSide::Progress UpstreamSide::expire(state::Exchange& exchange, const routing::Route* route) {
  if (is<AwaitingDescriptor>()) return connect(exchange, route);
  return failed(is<Handshaking>() ? "TLS: the handshake took too long" : std::strerror(ETIMEDOUT), Progress::timed_out);
}

UpstreamSide::Progress UpstreamSide::failed(std::string_view why, Progress how) {
  server_->note_failure(worker_.now_ms());
  ++server_->counts.failures;
  worker_.note_connect_failure(server_->address, why);
  drop(false);
  return how;
}

void UpstreamSide::give_up(std::string_view why) {
  worker_.note_connect_failure(server_->address, why);
  drop(false);
}

UpstreamSide::Progress UpstreamSide::attach(state::Exchange& exchange, std::unique_ptr<tls::Stream> stream, Leg leg) {
  stands_ = Connected{std::move(stream)};
  ++server_->counts.requests;
  exchange.upstream = std::move(leg);
  exchange.upstream->write_at_ms = worker_.now_ms();
  if (std::holds_alternative<state::Tunnelling>(exchange.phase)) ++worker_.counters.tunnels;
  return Progress::connected;
}

// ── The end of its leg ────────────────────────────────────────────────────────────────────────────────────────────

void UpstreamSide::park(state::Boxed<state::UpstreamLeg> leg) {
  std::unique_ptr<tls::Stream>& stream = std::get<Connected>(stands_).stream;
  // A FIN may have arrived with the last bytes.
  const bool is_quiet = !stream->readable(*leg) || stream->is_quiet(*leg, worker_.now_ms());
  if (server_ == nullptr || upstream_->proxy_header() || worker_.stopping() || !is_quiet) return close(*leg);
  leg->reused = true;
  worker_.pool().give(*server_, {std::move(stream), std::move(leg), worker_.now_ms()});
  drop(false);
}

void UpstreamSide::close(state::UpstreamLeg& leg) {
  connected()->say_goodbye(leg);
  drop(false);
}

void UpstreamSide::drop(bool with_reset) {
  use(nullptr);
  std::unique_ptr<tls::Stream> stream;
  std::visit(
      [&]<class Stand>(Stand& stand) {
        if constexpr (requires { stand.stream; }) stream = std::move(stand.stream);
      },
      stands_);
  stands_ = Nothing{};
  if (!stream) return;
  if (with_reset) {
    stream->socket().close_with_reset();
  } else {
    stream->socket().close();
  }
  worker_.loop().dispose(std::move(stream));
}

}  // namespace baton::proxy
