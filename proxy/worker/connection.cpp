#include "proxy/worker/connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>

#include "proxy/worker/worker.hpp"

namespace baton::proxy {

using engine::Action;
using engine::Loss;
using runtime::Io;

namespace {

// A turn: so many passes, and about so many bytes, read and written, before others get theirs.
constexpr int passes_max = 32;

// The kernel tells of no event when the other side has taken the last byte.
constexpr std::int64_t look_again_ms = 100;
constexpr std::size_t turn_bytes_max = 64 * 1024;

}  // namespace

Connection::Connection(Worker& worker, state::ConnectionState state, handoff::UniqueFd client,
                       handoff::UniqueFd upstream)
    : worker_(worker),
      state_(std::move(state)),
      client_text_(state_.client_address.node_text()),
      client_(worker.loop(), std::move(client), *this),
      upstream_(worker, *this) {
  if (upstream) {
    upstream_.adopt(std::move(upstream));
  } else if (std::holds_alternative<state::Raw>(state_.protocol)) {
    upstream_.promise();
  }
  look_up_place();
}

void Connection::look_up_place() {
  engine::reconfigured(state_);
  upstream_.reconfigured(state_.upstream());
  listener_gone_ = !worker_.has_listener(state_.listener);
  // A handshake that has begun goes on with the certificates it began with.
  if (state_.client.tls && state_.client.tls->stage == state::TlsStage::hello) {
    server_context_ = worker_.server_context(state_.listener);
  }
  received_since_ = 0;
  stretched_rules_.reset();
  const std::size_t here = state_.client.unread.size();
  if (here < worker_.rules().head_bytes) return;
  stretched_rules_ = std::make_unique<engine::Rules>(worker_.rules());
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
    if (!upstream_.is_connecting()) return set_deadline();
    // A connect that is under way goes to a server that may be gone: it is begun anew.
    upstream_.drop(false);
    take_turn();
  });
}

// A limit on heads that has become smaller holds for what comes in addition, until all that was here before is consumed.
const engine::Rules& Connection::rules() {
  if (stretched_rules_ && state_.client.unread.size() <= received_since_) stretched_rules_.reset();
  return stretched_rules_ ? *stretched_rules_ : worker_.rules();
}

bool Connection::watch() { return client_.watch() && (upstream_.connected() == nullptr || upstream_.connected()->watch()); }

bool Connection::at_boundary() const {
  return std::holds_alternative<state::Raw>(state_.protocol) || engine::at_boundary(state_);
}

bool Connection::is_movable() const {
  return (!state_.client.tls || state_.client.tls->stage != state::TlsStage::handshake) && !is_kept();
}

bool Connection::is_kept() const {
  const auto kept = [](const state::Leg& leg) { return leg.tls && leg.tls->stage == state::TlsStage::kept; };
  return kept(state_.client) || (state_.upstream() != nullptr && kept(*state_.upstream()));
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
    if (!closed_ && !frozen_ && engine::is_idle(state_)) close(false);
  });
}

void Connection::note_shared() {
  client_.socket().note_shared();
  if (upstream_.connected() != nullptr) upstream_.connected()->socket().note_shared();
}

void Connection::freeze() {
  if (upstream_.is_connecting()) upstream_.drop(false);
  client_.freeze();
  if (upstream_.connected() != nullptr) upstream_.connected()->freeze();
  worker_.deadlines().clear(*this);
  frozen_ = true;
  frozen_at_us_ = runtime::monotonic_us();
}

void Connection::let_go() {
  client_.socket().release();
  if (upstream_.connected() != nullptr) upstream_.connected()->socket().release();
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
    if (upstream_.is_connecting() && upstream_.owns(socket)) {
      engine::Context context = this->context();
      if (!obey(after(upstream_.go_on(*state_.exchange), context), context)) return;
      if (upstream_.is_connecting()) return set_deadline();
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
    if (looks_again_) return take_turn();
    engine::Context context = this->context();
    Action action;
    if (worker_.now_ms() >= upstream_.deadline_ms()) {
      action = after(upstream_.expire(*state_.exchange), context);
    } else {
      if (upstream_.is_connecting()) upstream_.drop(false);         // the exchange has no time for this attempt
      action = engine::expire(state_, context);
    }
    if (obey(action, context)) take_turn();
  });
}

// ── The loop ──────────────────────────────────────────────────────────────────────────────────────────────────────

engine::Context Connection::context() {
  engine::Context context = worker_.context(rules(), client_text_, upstream_.servers(), listener_gone_);
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
  worker_.begin_turn();
  engine::Context context = this->context();
  for (int pass = 0;; ++pass) {
    if (pass == passes_max || turn_bytes_ >= turn_bytes_max) {
      ask_for_another_turn();
      break;
    }
    const bool read = read_legs();
    if (closed_) return;
    if (&context.rules != &rules()) {         // those that this turn began with are gone
      ask_for_another_turn();
      break;
    }
    const Action action = upstream_.is_connecting() ? Action::wait : engine::advance(state_, context).action;
    if (action == Action::reset && is_delivering()) {
      looks_again_ = true;
      break;
    }
    if (!obey(action, context)) return;
    const bool wrote = write_legs();
    if (closed_) return;
    if (action == Action::wait && !read && !wrote) break;
    if (engine::waits_for_bytes(state_) && !has_to_read()) break;       // the next pass would do nothing
  }
  set_deadline();
}

void Connection::ask_for_another_turn() {
  if (!awaits_turn_) worker_.loop().again(*this);
  awaits_turn_ = true;
}

// One side is gone, and the kernel still has bytes for the other that came before: a reset would throw them away.
bool Connection::is_delivering() {
  const state::UpstreamLeg* const leg = state_.upstream();
  if (leg == nullptr) return false;
  const auto takes_all = [this](const state::Leg& gone, const state::Leg& to, const runtime::Socket& socket) {
    const std::int64_t send_ms = rules().send_ms;
    const bool is_late = worker_.now_ms() >= std::max(gone.read_at_ms, to.write_at_ms) + send_ms;
    return gone.read_ended && gone.unread.empty() && !to.was_reset && !socket.broken() && !is_late &&
           socket.unacknowledged() != 0;
  };
  const bool is_tunnel = std::holds_alternative<state::Raw>(state_.protocol);
  return takes_all(*leg, state_.client, client_.socket()) ||
         (is_tunnel && takes_all(state_.client, *leg, upstream_.connected()->socket()));
}

bool Connection::read_legs() {
  const bool progress = client_.readable(state_.client) && read_client();
  if (closed_) return true;
  const tls::Stream* const upstream = upstream_.connected();
  return (upstream != nullptr && upstream->readable(*state_.upstream()) && read_upstream()) || progress;
}

bool Connection::has_to_read() const {
  const tls::Stream* const upstream = upstream_.connected();
  return client_.readable(state_.client) || (upstream != nullptr && upstream->readable(*state_.upstream()));
}

bool Connection::read_client() {
  state::Leg& leg = state_.client;
  const std::size_t bytes = engine::wanted_from_client(state_, rules());
  if (bytes == 0) {
    if (!client_.socket().broken() || leg.was_reset || leg.write_ended) return false;
    // The client takes no more: nobody is left to answer.
    leg.was_reset = client_.socket().finds_reset() && !leg.read_ended;
    obey(engine::client_write_failed(state_));
    return true;
  }
  const std::size_t before = leg.unread.size();
  switch (client_.receive(leg, bytes)) {
    case Io::done:
      leg.read_at_ms = worker_.now_ms();
      received_since_ += leg.unread.size() - before;
      turn_bytes_ += leg.unread.size() - before;
      return true;
    case Io::ended:
      leg.read_ended = true;
      return true;
    case Io::failed:
      if (client_.failure().empty()) {
        obey(engine::client_lost(state_));
      } else {
        worker_.note_tls_failure(state_, client_.failure());
        close(false);                    // not by a reset, which could overtake the alert
      }
      return true;
    case Io::would_block:
      break;
  }
  return false;
}

bool Connection::read_upstream() {
  state::UpstreamLeg& leg = *state_.upstream();
  tls::Stream& stream = *upstream_.connected();
  const std::size_t bytes = engine::wanted_from_upstream(state_, rules());
  if (bytes == 0) {
    const bool is_tunnel = std::holds_alternative<state::Raw>(state_.protocol);
    if (!stream.socket().broken() || leg.was_reset || leg.write_ended || !is_tunnel) return false;
    leg.was_reset = stream.socket().finds_reset() && !leg.read_ended;
    engine::upstream_write_failed(state_);
    return true;
  }
  const std::size_t before = leg.unread.size();
  switch (stream.receive(leg, bytes)) {
    case Io::done:
      turn_bytes_ += leg.unread.size() - before;
      leg.read_at_ms = worker_.now_ms();
      return true;
    case Io::ended:
      leg.read_ended = true;
      return true;
    case Io::failed:
      if (!stream.failure().empty()) worker_.note_connect_failure(leg.server, fmt::format("TLS: {}", stream.failure()));
      obey(engine::upstream_lost(state_, Loss::reset, context()));
      return true;
    case Io::would_block:
      break;
  }
  return false;
}

bool Connection::write_legs() {
  bool progress = false;
  if (tls::Stream* const stream = upstream_.connected()) {
    state::UpstreamLeg& leg = *state_.upstream();
    if (stream->has_to_send(leg) && stream->socket().writable()) {
      const std::size_t before = leg.unsent.size();
      switch (stream->send(leg, worker_.now_ms())) {
        case Io::done:
          leg.write_at_ms = worker_.now_ms();
          turn_bytes_ += before - leg.unsent.size();
          progress = true;
          break;
        case Io::failed:
          engine::upstream_write_failed(state_);
          progress = true;
          break;
        default:
          break;
      }
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
        obey(engine::client_write_failed(state_));
        return true;
      default:
        break;
    }
  }
  return progress;
}

// ── What the engine asks for ──────────────────────────────────────────────────────────────────────────────────────

Action Connection::after(UpstreamSide::Progress progress, engine::Context& context) {
  using enum UpstreamSide::Progress;
  context.servers = upstream_.servers();
  switch (progress) {
    case waiting: return Action::wait;
    // At once: a leg beside a request that is not on it is no state to be frozen in.
    case connected: return engine::advance(state_, context).action;
    case unreachable: return engine::upstream_lost(state_, Loss::unreachable, context);
    case failed: return engine::upstream_lost(state_, Loss::connect_failed, context);
    case timed_out: return engine::upstream_lost(state_, Loss::connect_timed_out, context);
  }
  return Action::wait;
}

bool Connection::obey(Action action) {
  engine::Context context = this->context();
  return obey(action, context);
}

bool Connection::obey(Action action, engine::Context& context) {
  worker_.note_refusal(state_);
  while (action == Action::connect) {
    action = after(upstream_.connect(*state_.exchange), context);
    worker_.note_refusal(state_);
  }
  switch (action) {
    case Action::wait:
    case Action::connect:
      return true;
    case Action::park:
      upstream_.park(std::move(state_.exchange->upstream));
      return true;
    case Action::close_upstream:
      upstream_.close(*state_.exchange->upstream);
      state_.exchange->upstream.reset();
      return true;
    case Action::cut_upstream:
      state_.exchange->upstream.reset();
      upstream_.drop(true);
      return true;
    case Action::exchange_ended:
    case Action::exchange_ended_early:
      return end_exchange();
    case Action::end_client_writing:
      client_.end_writing(state_.client);
      return true;
    case Action::end_upstream_writing:
      upstream_.connected()->end_writing(*state_.upstream());
      return true;
    case Action::close:
      close(false);
      return false;
    case Action::reset:
      close(true);
      return false;
  }
  return true;
}

bool Connection::end_exchange() {
  log_exchange();
  state_.exchange.reset();
  if (worker_.stopping() && engine::is_idle(state_)) {
    close(false);
    return false;
  }
  return !worker_.boundary(*this);
}

// ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

void Connection::log_exchange() {
  state::Exchange* const exchange = state_.exchange.get();
  if (exchange == nullptr || exchange->started_ms == 0) return;
  ++worker_.counters.requests;
  worker_.count_fields_dropped();
  if (exchange->status >= 500) ++worker_.counters.failures;
  worker_.log_access(state_, *exchange);
  exchange->started_ms = 0;
}

void Connection::close(bool with_reset) {
  log_exchange();
  const state::UpstreamLeg* const leg = state_.upstream();
  if (std::holds_alternative<state::Raw>(state_.protocol) && leg == nullptr) ++worker_.counters.tunnels_unreached;
  upstream_.drop(leg == nullptr || !leg->is_over());
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
  std::int64_t at = std::min(engine::deadline_ms(state_, rules()), upstream_.deadline_ms());
  if (looks_again_) at = std::min(at, worker_.now_ms() + look_again_ms);
  worker_.deadlines().set(*this, at);
}

}  // namespace baton::proxy
