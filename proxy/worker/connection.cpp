#include "proxy/worker/connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>

#include "proxy/worker/worker.hpp"

namespace baton::proxy {

using http1::Ask;
using runtime::Io;

namespace {

// A turn: so many passes, and about so many bytes, read and written, before others get theirs.
constexpr int passes_max = 32;

// The kernel tells of no event when the other side has taken the last byte, or when a descriptor comes free.
constexpr std::int64_t look_again_ms = 100;
constexpr std::size_t turn_bytes_max = 64 * 1024;

}  // namespace

Connection::Connection(Worker& worker, state::ConnectionState state, handoff::UniqueFd client,
                       handoff::UniqueFd upstream)
    : worker_(worker),
      state_(std::move(state)),
      client_text_(state_.client_address.node_text()),
      client_(worker.loop(), std::move(client), *this) {
  if (upstream) {
    upstream_ = std::make_unique<tls::Stream>(worker.loop(), std::move(upstream), *this);
  } else if (std::holds_alternative<state::Tunnel>(state_.protocol)) {
    promised_.emplace(worker.loop());
  }
  look_up_place();
}

void Connection::look_up_place() {
  route_ = worker_.route(state_);
  listener_gone_ = !worker_.has_listener(state_.listener);
  server_ = nullptr;
  if (state_.upstream) {
    auto* servers = worker_.pool().find(state_.upstream->upstream);
    if (servers != nullptr) server_ = servers->find(state_.upstream->server, state::terms_of(*state_.upstream));
    if (upstream_) upstream_->set_sessions(server_);
  }
  // A handshake that has begun goes on with the certificates it began with.
  if (state_.client.tls && state_.client.tls->stage == state::TlsStage::hello) {
    server_context_ = worker_.server_context(state_.listener);
  }
  received_since_ = 0;
  stretched_rules_.reset();
  const std::size_t here = state_.client.unread.size();
  if (here < worker_.rules().head_bytes) return;
  stretched_rules_ = std::make_unique<http1::Rules>(worker_.rules());
  stretched_rules_->head_bytes += here;
}

// Half-way through a step the state is not whole, so all that can be done is to end it.
template <class Step>
void Connection::guarded(Step step) noexcept {
  try {
    step();
  } catch (const std::exception& error) {
    worker_.note_failure(error, &state_);
    if (!closed_) close(true);
  }
}

void Connection::reconfigured() {
  guarded([this] {
    look_up_place();
    if (connect_deadline_ms_ == 0) return set_deadline();
    // A connect that is under way goes to a server that may be gone: it is begun anew.
    close_upstream();
    take_turn();
  });
}

// A limit on heads that has become smaller holds for what comes in addition, until all that was here before is consumed.
const http1::Rules& Connection::rules() {
  if (stretched_rules_ && state_.client.unread.size() <= received_since_) stretched_rules_.reset();
  return stretched_rules_ ? *stretched_rules_ : worker_.rules();
}

bool Connection::watch() { return client_.watch() && (!upstream_ || upstream_->watch()); }

bool Connection::at_boundary() const {
  return std::holds_alternative<state::Tunnel>(state_.protocol) || http1::at_boundary(state_);
}

bool Connection::is_movable() const {
  return (!state_.client.tls || state_.client.tls->stage != state::TlsStage::handshake) && !is_kept();
}

bool Connection::is_kept() const {
  const auto kept = [](const state::Leg& leg) { return leg.tls && leg.tls->stage == state::TlsStage::kept; };
  return kept(state_.client) || (state_.upstream && kept(*state_.upstream));
}

void Connection::resume() {
  if (!watch()) return close(true);
  run();
}

void Connection::end_if_idle() {
  if (closed_ || frozen_) return;
  client_.socket().note_readable();
  guarded([this] {
    take_turn();
    if (!closed_ && !frozen_ && http1::is_idle(state_)) close(false);
  });
}

void Connection::note_shared() {
  client_.socket().note_shared();
  if (upstream_) upstream_->socket().note_shared();
}

void Connection::freeze() {
  if (connect_deadline_ms_ != 0) close_upstream();
  client_.freeze();
  if (upstream_) upstream_->freeze();
  no_descriptor_since_ms_ = 0;
  worker_.deadlines().clear(*this);
  frozen_ = true;
  frozen_at_us_ = runtime::monotonic_us();
}

void Connection::let_go() {
  client_.socket().release();
  if (upstream_) upstream_->socket().release();
  closed_ = true;
  worker_.remove(*this);
}

// ── Events ────────────────────────────────────────────────────────────────────────────────────────────────────────

void Connection::on_events(std::uint32_t) {
  awaits_turn_ = false;
  if (!frozen_ && !closed_) run();
}

void Connection::on_ready(runtime::Socket& socket) {
  if (frozen_ || closed_) return;
  guarded([&] {
    if (connect_deadline_ms_ != 0 && &socket == &upstream_->socket()) {
      if (!shaking_ && !socket.writable()) return;
      if (!obey(shaking_ ? shake_upstream() : connect_ended())) return;
    }
    if (!awaits_turn_) take_turn();       // else the socket remembers the event until then
  });
}

void Connection::on_deadline() {
  if (frozen_ || closed_) return;
  guarded([this] {
    if (shakes_hands()) {
      worker_.note_tls_failure(state_, "the handshake took too long");
      return close(false);
    }
    const bool has_time = no_descriptor_since_ms_ == 0 || worker_.now_ms() < http1::deadline_ms(state_, rules());
    if (looks_again_ && has_time) return take_turn();
    no_descriptor_since_ms_ = 0;
    Ask ask;
    if (connect_deadline_ms_ != 0 && worker_.now_ms() >= connect_deadline_ms_) {
      ask = not_connected(shaking_ ? "TLS: the handshake took too long" : std::strerror(ETIMEDOUT),
                          http1::Loss::connect_timed_out);
    } else {
      if (connect_deadline_ms_ != 0) close_upstream();         // the exchange has no time for this attempt
      ask = http1::expire(state_, context());
    }
    if (obey(ask)) take_turn();
  });
}

// ── The loop ──────────────────────────────────────────────────────────────────────────────────────────────────────

http1::Context Connection::context() {
  http1::Context context =
      worker_.context(rules(), client_text_, route_ != nullptr ? route_->servers() : 0, listener_gone_);
  if (const auto* tls = state_.client.tls.get()) {
    context.https = true;
    context.client_subject = tls->facts.client_subject;
  }
  return context;
}

bool Connection::shakes_hands() const {
  const auto* tls = state_.client.tls.get();
  return tls != nullptr && (tls->stage == state::TlsStage::hello || tls->stage == state::TlsStage::handshake);
}

bool Connection::shake_hands() {
  if (!server_context_) {
    worker_.note_tls_failure(state_, "its listener has no TLS any more");
    close(true);
    return false;
  }
  switch (client_.shake(state_.client, server_context_->get())) {
    case tls::Stream::Shake::waiting:
      set_deadline();
      return false;
    case tls::Stream::Shake::failed:
      worker_.note_tls_failure(state_, client_.failure());
      close(false);
      return false;
    case tls::Stream::Shake::done:
      break;
  }
  server_context_.reset();
  state_.client.read_at_ms = worker_.now_ms();
  auto* http1 = std::get_if<state::Http1>(&state_.protocol);
  if (http1 != nullptr) std::get<state::AwaitingRequest>(http1->phase).since_ms = worker_.now_ms();
  return !worker_.boundary(*this);
}

void Connection::run() {
  guarded([this] { take_turn(); });
}

void Connection::take_turn() {
  if (closed_) return;
  frozen_ = false;
  if (shakes_hands() && !shake_hands()) return;
  turn_bytes_ = 0;
  looks_again_ = false;
  for (int pass = 0;; ++pass) {
    if (pass == passes_max || turn_bytes_ >= turn_bytes_max) {
      if (!awaits_turn_) worker_.loop().again(*this);
      awaits_turn_ = true;
      break;
    }
    const bool read = read_legs();
    if (closed_) return;
    const Ask ask = connect_deadline_ms_ != 0 || looks_again_ ? Ask::wait : http1::advance(state_, context());
    if (ask == Ask::reset && is_delivering()) {
      looks_again_ = true;
      break;
    }
    if (!obey(ask)) return;
    const bool wrote = write_legs();
    if (closed_) return;
    if (ask == Ask::wait && !read && !wrote) break;
  }
  set_deadline();
}

// One side is gone, and the kernel still has bytes for the other that came before: a reset would throw them away.
bool Connection::is_delivering() {
  if (!state_.upstream) return false;
  const auto takes_all = [this](const state::Leg& gone, const state::Leg& leg, const runtime::Socket& socket) {
    const std::int64_t send_ms = rules().send_ms;
    const bool is_late = worker_.now_ms() >= std::max(gone.read_at_ms, leg.write_at_ms) + send_ms;
    return gone.read_ended && gone.unread.empty() && !leg.was_reset && !socket.broken() && !is_late &&
           socket.unacknowledged() != 0;
  };
  const bool is_tunnel = std::holds_alternative<state::Tunnel>(state_.protocol);
  return takes_all(*state_.upstream, state_.client, client_.socket()) ||
         (is_tunnel && takes_all(state_.client, *state_.upstream, upstream_->socket()));
}

bool Connection::read_legs() {
  bool progress = false;
  const http1::Rules& rules = this->rules();
  if (client_.readable(state_.client)) {
    if (const std::size_t bytes = http1::wanted_from_client(state_, rules); bytes != 0) {
      const std::size_t before = state_.client.unread.size();
      switch (client_.receive(state_.client, bytes)) {
        case Io::done:
          state_.client.read_at_ms = worker_.now_ms();
          received_since_ += state_.client.unread.size() - before;
          turn_bytes_ += state_.client.unread.size() - before;
          progress = true;
          break;
        case Io::ended:
          state_.client.read_ended = progress = true;
          break;
        case Io::failed:
          if (client_.failure().empty()) {
            obey(http1::client_lost(state_));
          } else {
            worker_.note_tls_failure(state_, client_.failure());
            close(false);                    // not by a reset, which could overtake the alert
          }
          return true;
        case Io::would_block:
          break;
      }
    } else if (client_.socket().broken() && !state_.client.was_reset && !state_.client.write_ended) {
      // The client takes no more: nobody is left to answer.
      state_.client.was_reset = client_.socket().finds_reset() && !state_.client.read_ended;
      obey(http1::client_write_failed(state_));
      return true;
    }
  }
  if (upstream_ && connect_deadline_ms_ == 0 && upstream_->readable(*state_.upstream)) {
    if (const std::size_t bytes = http1::wanted_from_upstream(state_, rules); bytes != 0) {
      const std::size_t before = state_.upstream->unread.size();
      switch (upstream_->receive(*state_.upstream, bytes)) {
        case Io::done:
          turn_bytes_ += state_.upstream->unread.size() - before;
          state_.upstream->read_at_ms = worker_.now_ms();
          progress = true;
          break;
        case Io::ended:
          state_.upstream->read_ended = progress = true;
          break;
        case Io::failed:
          if (!upstream_->failure().empty()) {
            worker_.note_connect_failure(state_.upstream->server, fmt::format("TLS: {}", upstream_->failure()));
          }
          obey(http1::upstream_lost(state_, http1::Loss::reset, context()));
          return true;
        case Io::would_block:
          break;
      }
    } else if (upstream_->socket().broken() && !state_.upstream->was_reset && !state_.upstream->write_ended &&
               std::holds_alternative<state::Tunnel>(state_.protocol)) {
      state_.upstream->was_reset = upstream_->socket().finds_reset() && !state_.upstream->read_ended;
      http1::upstream_write_failed(state_);
      progress = true;
    }
  }
  return progress;
}

bool Connection::write_legs() {
  bool progress = false;
  if (state_.upstream && upstream_ && connect_deadline_ms_ == 0 && upstream_->has_to_send(*state_.upstream) &&
      upstream_->socket().writable()) {
    const std::size_t before = state_.upstream->unsent.size();
    switch (upstream_->send(*state_.upstream, worker_.now_ms())) {
      case Io::done:
        state_.upstream->write_at_ms = worker_.now_ms();
        turn_bytes_ += before - state_.upstream->unsent.size();
        progress = true;
        break;
      case Io::failed:
        http1::upstream_write_failed(state_);
        progress = true;
        break;
      default:
        break;
    }
  }
  if (client_.has_to_send(state_.client) && client_.socket().writable()) {
    const std::size_t before = state_.client.unsent.size();
    switch (client_.send(state_.client, worker_.now_ms())) {
      case Io::done:
        state_.client.write_at_ms = worker_.now_ms();
        turn_bytes_ += before - state_.client.unsent.size();
        progress = true;
        break;
      case Io::failed:
        obey(http1::client_write_failed(state_));
        return true;
      default:
        break;
    }
  }
  return progress;
}

bool Connection::obey(Ask ask) {
  worker_.note_refusal(state_);
  // The engine gives an upstream leg up by forgetting it.
  const auto follow = [this] {
    if (!state_.upstream && upstream_ && connect_deadline_ms_ == 0) cut_upstream();
  };
  follow();
  while (ask == Ask::connect) {
    ask = find_upstream();
    follow();
  }
  worker_.note_refusal(state_);
  switch (ask) {
    case Ask::wait:
    case Ask::connect:
      return true;
    case Ask::park:
      park_upstream();
      return true;
    case Ask::close_upstream:
      upstream_->say_goodbye(*state_.upstream);
      state_.upstream.reset();
      close_upstream();
      return true;
    case Ask::exchange_ended:
      log_exchange();
      if (worker_.stopping() && http1::is_idle(state_)) {
        close(false);
        return false;
      }
      return !worker_.boundary(*this);
    case Ask::end_client_writing:
      client_.end_writing(state_.client);
      return true;
    case Ask::end_upstream_writing:
      upstream_->end_writing(*state_.upstream);
      return true;
    case Ask::close:
      close(false);
      return false;
    case Ask::reset:
      close(true);
      return false;
  }
  return true;
}

// ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

void Connection::log_exchange() {
  auto* http1 = std::get_if<state::Http1>(&state_.protocol);
  state::AccessRecord& access = http1 != nullptr ? http1->access : std::get<state::Tunnel>(state_.protocol).access;
  if (access.started_ms == 0) return;
  ++worker_.counters.requests;
  worker_.count_fields_dropped();
  if (access.status >= 500) ++worker_.counters.failures;
  worker_.log_access(state_, access);
  access.started_ms = 0;
}

void Connection::close(bool with_reset) {
  log_exchange();
  if (std::holds_alternative<state::Tunnel>(state_.protocol) && !state_.upstream) ++worker_.counters.tunnels_unreached;
  drop_upstream(!state_.upstream || !state_.upstream->is_over());
  if (with_reset) {
    client_.socket().close_with_reset();
  } else {
    client_.say_goodbye(state_.client);
    client_.socket().close();
  }
  worker_.deadlines().clear(*this);
  closed_ = true;
  worker_.remove(*this);
}

void Connection::set_deadline() {
  if (shakes_hands()) {
    return worker_.deadlines().set(*this, state_.client.tls->since_ms + worker_.settings().handshake_ms);
  }
  std::int64_t at = http1::deadline_ms(state_, rules());
  if (connect_deadline_ms_ != 0) at = std::min(at, connect_deadline_ms_);
  if (looks_again_) at = std::min(at, worker_.now_ms() + look_again_ms);
  worker_.deadlines().set(*this, at);
}

}  // namespace baton::proxy
