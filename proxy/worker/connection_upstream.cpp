// A connection's upstream leg: how it finds a server and connects, and what becomes of the leg afterwards.
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "proxy/worker/connection.hpp"
#include "proxy/upstream/connector.hpp"
#include "proxy/worker/worker.hpp"

namespace baton::proxy {

using http1::Ask;

namespace {

// A request that must not be sent twice goes only on a pooled connection that was used this lately.
constexpr std::int64_t quiet_within_ms = 1'000;

}  // namespace

Ask Connection::find_upstream() {
  if (route_ == nullptr) return http1::upstream_lost(state_, http1::Loss::unreachable, context());
  upstream::Server& server = route_->choose(worker_.now_ms());
  const auto* http1 = std::get_if<state::Http1>(&state_.protocol);
  if (http1 == nullptr) return try_server(server, true, false);
  const auto& connecting = std::get<state::Connecting>(http1->phase);
  return try_server(server, connecting.fresh, connecting.request.idempotent);
}

Ask Connection::try_server(upstream::Server& server, bool fresh, bool idempotent) {
  server_ = &server;
  // Also one that refuses: the log names whom the exchange went to last.
  if (auto* http1 = std::get_if<state::Http1>(&state_.protocol); http1 != nullptr && worker_.rules().keep_access) {
    http1->access.upstream = server.address.text();
  }
  if (!fresh) {
    upstream::IdleConnection idle = worker_.pool().take(server, worker_.now_ms(), idempotent ? 0 : quiet_within_ms);
    if (idle.stream) {
      upstream_ = std::move(idle.stream);
      upstream_->socket().set_owner(*this);
      return attach(std::move(idle.leg), true);
    }
  }
  promised_.reset();
  const auto begin = [&]() -> upstream::Connecting {
    if (!worker_.has_socket_for_server()) return {.error = EMFILE};
    return upstream::begin_connect(server.address);
  };
  const auto lacks_descriptor = [](const upstream::Connecting& one) {
    return !one.socket && (one.error == EMFILE || one.error == ENFILE);
  };
  upstream::Connecting attempt = begin();
  if (lacks_descriptor(attempt) && worker_.pool().idle() != 0) {
    // A descriptor that waits for work is worth less than one that is needed now.
    worker_.pool().trim(worker_.pool().idle() - 1);
    attempt = begin();
  }
  if (lacks_descriptor(attempt)) return await_descriptor();
  no_descriptor_since_ms_ = 0;
  if (attempt.socket) {
    upstream_ = std::make_unique<tls::Stream>(worker_.loop(), std::move(attempt.socket), *this);
    if (upstream_->watch()) {
      if (attempt.established) return connected();
      upstream_->socket().note_writable(false);
      connect_deadline_ms_ = worker_.now_ms() + worker_.settings().connect_ms;
      return Ask::wait;
    }
  }
  return not_connected(std::strerror(attempt.error), http1::Loss::connect_failed);
}

// All are in use, which is no fault of the server: it looks again, for as long as a connect may take.
Ask Connection::await_descriptor() {
  if (no_descriptor_since_ms_ == 0) no_descriptor_since_ms_ = worker_.now_ms();
  if (worker_.now_ms() < no_descriptor_since_ms_ + worker_.settings().connect_ms) {
    looks_again_ = true;
    return Ask::wait;
  }
  no_descriptor_since_ms_ = 0;
  worker_.note_connect_failure(server_->address, std::strerror(EMFILE));
  close_upstream();
  return http1::upstream_lost(state_, http1::Loss::unreachable, context());
}

Ask Connection::not_connected(std::string_view why, http1::Loss loss) {
  server_->note_failure(worker_.now_ms());
  worker_.note_connect_failure(server_->address, why);
  close_upstream();
  return http1::upstream_lost(state_, loss, context());
}

Ask Connection::connect_ended() {
  const int error = upstream_->socket().take_error();
  return error == 0 ? connected() : not_connected(std::strerror(error), http1::Loss::connect_failed);
}

Ask Connection::connected() {
  connect_deadline_ms_ = 0;
  const tls::ClientContext* const context = route_->tls();
  if (context == nullptr) {
    server_->note_success();
    return attach({}, false);
  }
  connect_deadline_ms_ = worker_.now_ms() + worker_.settings().handshake_ms;
  tls::SslPtr ssl = context->make(server_->host);
  if (!ssl) return not_connected("TLS: the server has no name that a certificate could bear", http1::Loss::connect_failed);
  const tls::SessionPtr session = server_->take_session();
  upstream_->connect(std::move(ssl), session.get(), server_);
  shaking_ = std::make_unique<state::Leg>();
  shaking_->tls.emplace().since_ms = worker_.now_ms();
  return shake_upstream();
}

Ask Connection::shake_upstream() {
  switch (upstream_->shake(*shaking_, nullptr)) {
    case tls::Stream::Shake::waiting:
      return Ask::wait;
    case tls::Stream::Shake::failed:
      return not_connected(fmt::format("TLS: {}", upstream_->failure()), http1::Loss::connect_failed);
    case tls::Stream::Shake::done:
      break;
  }
  connect_deadline_ms_ = 0;
  server_->note_success();
  shaking_->tls->facts.terms = server_->terms;
  state::Leg leg = std::move(*shaking_);
  shaking_.reset();
  return attach(std::move(leg), false);
}

// The engine takes the leg at once: one that stands beside a request that is not on it is no state to be frozen in.
Ask Connection::attach(state::Leg from, bool reused) {
  no_descriptor_since_ms_ = 0;
  state::UpstreamLeg& leg = state_.upstream.emplace();
  static_cast<state::Leg&>(leg) = std::move(from);
  leg.upstream = route_->name();
  leg.write_at_ms = worker_.now_ms();
  leg.server = server_->address;
  leg.reused = reused;
  if (!std::holds_alternative<state::Http1>(state_.protocol)) ++worker_.counters.tunnels;
  return http1::advance(state_, context());
}

void Connection::park_upstream() {
  state::Leg leg = std::move(*state_.upstream);
  state_.upstream.reset();
  // A FIN may have come with the last bytes.
  const bool is_quiet = !upstream_->readable(leg) || upstream_->is_quiet(leg, worker_.now_ms());
  if (server_ == nullptr || worker_.stopping() || !is_quiet) {
    upstream_->say_goodbye(leg);
    return close_upstream();
  }
  worker_.pool().give(*server_, {std::move(upstream_), std::move(leg), worker_.now_ms()});
  server_ = nullptr;
}

void Connection::close_upstream() { drop_upstream(false); }

void Connection::cut_upstream() { drop_upstream(true); }

void Connection::drop_upstream(bool with_reset) {
  connect_deadline_ms_ = 0;
  server_ = nullptr;
  shaking_.reset();
  if (!upstream_) return;
  if (with_reset) {
    upstream_->socket().close_with_reset();
  } else {
    upstream_->socket().close();
  }
  worker_.loop().dispose(std::move(upstream_));
}

}  // namespace baton::proxy
