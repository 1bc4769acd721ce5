#include "proxy/worker/connection.hpp"

#include <algorithm>
#include <exception>

#include "proxy/rates/client_key.hpp"
#include "proxy/worker/connection_step.hpp"
#include "proxy/worker/worker.hpp"

namespace baton::proxy {

using engine::Action;
using engine::Loss;

Connection::Connection(Worker& worker, state::ConnectionState state, handoff::UniqueFd client,
                       std::vector<handoff::UniqueFd> upstreams)
    : worker_(worker),
      state_(std::move(state)),
      client_text_(state_.client_address.node_text()),
      client_(worker.loop(), std::move(client), *this),
      runner_(worker, *this, state_) {
  if (state_.carriers) {
    const auto first = upstreams.end() - static_cast<std::ptrdiff_t>(state_.carriers->size());
    std::vector<handoff::UniqueFd> sockets(std::make_move_iterator(first), std::make_move_iterator(upstreams.end()));
    upstreams.erase(first, upstreams.end());
    carriers_ = std::make_unique<Carriers>(worker, *this, state_, std::move(sockets));
  }
  if (state_.http2() != nullptr) {
    http2_ = std::make_unique<Http2Side>(worker, *this, state_, std::move(upstreams));
  } else if (state_.upstream() != nullptr && state_.upstream()->stream) {
    runner_.upstream().adopt_stream();
  } else if (!upstreams.empty()) {
    runner_.upstream().adopt(std::move(upstreams.front()));
  } else if (std::holds_alternative<state::Raw>(state_.protocol)) {
    runner_.upstream().promise();
  }
  const auto* http1 = std::get_if<state::Http1>(&state_.protocol);
  may_begin_http2_ = http1 != nullptr && http1->requests == 0 && !state_.exchange && !state_.client.tls;
  look_up_place();
}

const routing::TrustedProxies& Connection::trusted_proxies() const {
  return listener_ != nullptr ? listener_->trusted : worker_.settings().trusted_by_former(state_.listener);
}

void Connection::look_up_place() {
  // First what needs no memory: if that is short, the connection ends, which is counted.
  listener_ = worker_.listener_rules(state_.listener);
  counts_ = &worker_.listener_counts(listener_);
  runner_.reconfigured();
  if (http2_) http2_->reconfigured();
  is_trusted_ = trusted_proxies().trusts(state_.client_address);
  // A handshake that has begun continues with the certificates it began with.
  if (state_.client.tls && state_.client.tls->stage == state::TlsStage::hello) {
    server_context_ = worker_.server_context(state_.listener);
  }
}

// A trusted proxy stands for many clients. Those that it names in a PROXY header are counted once that has come.
bool Connection::count_for_client(bool only_here) {
  const std::uint64_t most = worker_.settings().config.limits.connections_per_client;
  if (most == 0 || place_ || is_trusted_) return false;
  auto [place, count, here] = worker_.settings().counts->connections.enter(rates::ClientKey(state_.client_address).bytes());
  place_ = std::move(place);
  return (only_here ? here : count) > most;
}

void Connection::reconfigured() {
  guarded([this] {
    const bool was_asking = runner_.awaits_verdict();
    look_up_place();
    count_for_client();
    if (is_arriving()) return take_turn();  // perhaps it need not wait any longer
    if (was_asking || http2_) return take_turn();
    if (!runner_.upstream().is_connecting()) return set_deadline();
    // A connect under way may be to a server that is gone, so it is started again.
    runner_.upstream().drop(false);
    take_turn();
  });
}

bool Connection::watch() {
  const tls::Stream* const upstream = runner_.upstream().connected();
  return client_.watch() && (upstream == nullptr || runner_.upstream().connected()->watch()) &&
         (!carriers_ || carriers_->watch()) && (!http2_ || http2_->watch());
}

bool Connection::at_boundary() const {
  return std::holds_alternative<state::Raw>(state_.protocol) || is_arriving() || engine::at_boundary(state_);
}

bool Connection::is_new() const {
  if (!state_.client.unread.empty() || state_.client.tls) return false;
  const auto* http1 = std::get_if<state::Http1>(&state_.protocol);
  if (http1 != nullptr) return http1->requests == 0 && engine::is_idle(state_);
  return std::holds_alternative<state::Raw>(state_.protocol) && state_.upstream() == nullptr;
}

void Connection::resume() {
  if (!watch()) return close(true);
  run();
}

void Connection::announce_end() {
  if (http2_ && !frozen_ && !closed_ && !awaits_turn_) run();
}

void Connection::end_if_idle() {
  if (closed_ || frozen_ || http2_) return;
  client_.socket().note_readable();
  guarded([this] {
    take_turn();
    if (!closed_ && !frozen_ && engine::is_idle(state_)) close(false);
  });
}

void Connection::note_shared() {
  client_.socket().note_shared();
  if (tls::Stream* const upstream = runner_.upstream().connected()) upstream->socket().note_shared();
  if (carriers_) carriers_->note_shared();
  if (http2_) http2_->note_shared();
}

void Connection::freeze() {
  const keeper::Mark mark(worker_.running(), client_descriptor());
  runner_.freeze();
  if (http2_) http2_->freeze();
  if (carriers_) carriers_->freeze();
  client_.freeze();
  worker_.deadlines().clear(*this);
  frozen_ = true;
  frozen_at_us_ = runtime::monotonic_us();
}

void Connection::was_never_ours() {
  runner_.upstream().let_go();
  if (http2_) http2_->was_never_ours();
}

void Connection::let_go() {
  worker_.forget(*this);
  client_.socket().release();
  if (tls::Stream* const upstream = runner_.upstream().connected()) upstream->socket().release();
  runner_.upstream().let_go();
  if (http2_) http2_->let_go();
  if (carriers_) carriers_->let_go();
  closed_ = true;
  worker_.remove(*this);
}

// ── Events ────────────────────────────────────────────────────────────────────────────────────────────────────────

void Connection::on_events(std::uint32_t) {
  awaits_turn_ = false;
  if (!frozen_ && !closed_) run();
}

void Connection::on_ready(runtime::Socket&) {
  go_on();  // the socket remembers the event
}

Carriers& Connection::carriers() {
  if (!carriers_) carriers_ = std::make_unique<Carriers>(worker_, *this, state_, std::vector<handoff::UniqueFd>());
  return *carriers_;
}

// With HTTP/2 the turn comes after the events that are pending, of which several may be its own: then what they bring
// goes out together.
void Connection::go_on() {
  if (frozen_ || closed_ || awaits_turn_) return;
  if (http2_) return ask_for_another_turn();
  run();
}

void Connection::go_on(ExchangeRunner& runner) {
  if (http2_ && !frozen_ && !closed_) http2_->touch(runner);
  go_on();
}

void Connection::go_on(ExchangeRunner& runner, const std::function<Action(engine::Context&)>& step) {
  if (frozen_ || closed_) return;
  guarded([&] {
    engine::Context context = this->context(runner);
    if (http2_) {
      http2_->obey(runner, step(context), context);
      return go_on();
    }
    if (!obey(step(context), context)) return;
    if (runner.upstream().is_connecting()) return set_deadline();
    if (!awaits_turn_) take_turn();
  });
}

void Connection::on_deadline() {
  if (frozen_ || closed_) return;
  guarded([this] {
    if (is_arriving()) {
      if (arrives_without_a_byte()) return take_turn();
      if (closed_) return;
      const bool is_past_header = std::get<state::Arriving>(state_.protocol).is_past_header;
      refuse_arrival(is_past_header ? "timeouts.handshake: the ClientHello is not complete"
                                    : "timeouts.handshake: the PROXY header is not complete");
      return;
    }
    if (shakes_hands()) {
      worker_.note_tls_failure(state_, "the handshake took too long");
      counts_->tls_failures[static_cast<std::size_t>(metrics::TlsFailure::slow)].add();
      return close(false);
    }
    if (looks_again_) return take_turn();
    if (http2_) return expire_http2();
    engine::Context context = this->context(runner_);
    const Action action = runner_.expire(context);
    if (obey(action, context)) take_turn();
  });
}

// ── The handshake ─────────────────────────────────────────────────────────────────────────────────────────────────

bool Connection::is_in_handshake() const {
  const state::TlsStage stage = state_.client.tls->stage;
  return stage == state::TlsStage::hello || stage == state::TlsStage::handshake;
}

bool Connection::shake_hands() {
  if (!server_context_) {
    worker_.note_tls_failure(state_, "its listener no longer has TLS");
    close(true);
    return false;
  }
  switch (client_.shake(state_.client, server_context_->get())) {
    case tls::Stream::Shake::waiting:
      set_deadline();
      return false;
    case tls::Stream::Shake::failed:
      note_tls_failure();
      close(false);
      return false;
    case tls::Stream::Shake::done:
      break;
  }
  note_handshake();
  server_context_.reset();
  state_.client.read_at_ms = worker_.now_ms();
  auto* http1 = std::get_if<state::Http1>(&state_.protocol);
  const bool is_http2 = http1 != nullptr && state_.client.tls->facts.alpn == http2::alpn_name;
  if (is_http2) {
    begin_http2();
  } else if (http1 != nullptr)
    std::get<state::AwaitingRequest>(http1->phase).since_ms = worker_.now_ms();
  return !worker_.boundary(*this);
}

void Connection::note_handshake() {
  const state::Tls& tls = *state_.client.tls;
  counts_->handshakes[static_cast<std::size_t>(metrics::tls_version(true, tls.version))][tls.facts.resumed ? 1 : 0]
      .add();
}

void Connection::note_tls_failure() {
  using metrics::TlsFailure;
  const auto kind = [this] {
    switch (client_.failure_kind()) {
      case tls::FailureKind::closed:
        return TlsFailure::closed;
      case tls::FailureKind::alert:
        return TlsFailure::alert;
      case tls::FailureKind::refused:
        return TlsFailure::refused;
      case tls::FailureKind::protocol:
        break;
    }
    return TlsFailure::protocol;
  };
  const TlsFailure failure = kind();
  counts_->tls_failures[static_cast<std::size_t>(failure)].add();
  if (failure != TlsFailure::closed) worker_.note_for_canary(*this, 0, state::Ending::bad_request);
  worker_.note_tls_failure(state_, client_.failure());
}

// By the certificates of now; the client has seen those of its handshake. Without any, the listener is gone.
bool Connection::shows_certificate_for(std::string_view host) const {
  const auto context = worker_.server_context(state_.listener);
  return !context || context->covers(state_.client.tls->facts.server_name, host);
}

// ── What the engine asks for ──────────────────────────────────────────────────────────────────────────────────────

Action Connection::advance(state::ClientSide& side, const engine::Context& context) {
  if (http2_) return engine::advance_stream(side, context);
  return engine::advance(state_, context).action;
}

Action Connection::expire(state::ClientSide& side, const engine::Context& context) {
  return http2_ ? engine::expire_stream(side, context) : engine::expire(state_, context);
}

namespace {

bool concerns_client_alone(Action action) {
  return action == Action::exchange_ended || action == Action::exchange_ended_early ||
         action == Action::end_client_writing || action == Action::close || action == Action::reset;
}

}  // namespace

bool Connection::obey(Action action) {
  engine::Context context = this->context(runner_);
  return obey(action, context);
}

bool Connection::obey(Action action, engine::Context& context) {
  const bool is_for_runner = !concerns_client_alone(action) || worker_.has_something_to_take();
  switch (is_for_runner ? runner_.obey(action, context) : action) {
    case Action::wait:
      return true;
    case Action::exchange_ended:
    case Action::exchange_ended_early:
      return end_exchange();
    case Action::end_client_writing:
      client_.end_writing(state_.client);
      return true;
    case Action::close:
      close(false);
      return false;
    case Action::reset:
      close(true);
      return false;
    default:
      return true;
  }
}

bool Connection::end_exchange() {
  runner_.end_exchange();
  if (worker_.stopping() && engine::is_idle(state_)) {
    close(false);
    return false;
  }
  return !worker_.boundary(*this);
}

// ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

// Of those that have none yet.
void Connection::note_ending(state::Ending ending) {
  ending_ = ending;
  const auto note = [&](const state::ClientSide& side) {
    if (side.exchange && side.exchange->ending == state::Ending::done) side.exchange->ending = ending;
  };
  note(state_);
  if (const state::Http2* const http2 = state_.http2()) {
    for (const auto& side : http2->streams) note(*side);
  }
}

void Connection::count_reset() {
  if (is_reset_by_client_ || state_.client.was_reset || client_.socket().broken()) {
    return counts_->resets_by_client.add();
  }
  const state::Ending ending = state_.exchange ? state_.exchange->ending : ending_;
  counts_->resets[static_cast<std::size_t>(ending)].add();
}

void Connection::close(bool with_reset) {
  const keeper::Mark mark(worker_.running(), client_descriptor());
  worker_.forget(*this);
  if (with_reset) count_reset();
  place_.leave();  // not only at the end of the round: who sees the end, here or in the status, may connect at once
  runner_.forget_password();
  runner_.log_exchange();
  const state::UpstreamLeg* const leg = state_.upstream();
  if (std::holds_alternative<state::Raw>(state_.protocol) && leg == nullptr) ++worker_.counters.tunnels_unreached;
  runner_.upstream().drop(leg == nullptr || !leg->is_over());
  if (http2_) http2_->cut();
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

}  // namespace baton::proxy
