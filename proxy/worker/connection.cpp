#include "proxy/worker/connection.hpp"

#include <exception>

#include "proxy/rates/client_key.hpp"
#include "proxy/worker/worker.hpp"

namespace baton::proxy {

using engine::Action;
using engine::Loss;

Connection::Connection(Worker& worker, state::ConnectionState state, handoff::UniqueFd client,
                       handoff::UniqueFd upstream)
    : worker_(worker),
      state_(std::move(state)),
      client_text_(state_.client_address.node_text()),
      client_(worker.loop(), std::move(client), *this),
      upstream_(worker, *this, *this) {
  if (upstream) {
    upstream_.adopt(std::move(upstream));
  } else if (std::holds_alternative<state::Raw>(state_.protocol)) {
    upstream_.promise();
  }
  look_up_place();
}

const routing::TrustedProxies& Connection::trusted_proxies() const {
  return listener_ != nullptr ? listener_->trusted : worker_.settings().trusted_by_former(state_.listener);
}

void Connection::look_up_place() {
  engine::reconfigured(state_);
  forget_password();
  upstream_.reconfigured(state_.upstream());
  listener_ = worker_.listener_rules(state_.listener);
  is_trusted_ = trusted_proxies().trusts(state_.client_address);
  // A handshake that has begun continues with the certificates it began with.
  if (state_.client.tls && state_.client.tls->stage == state::TlsStage::hello) {
    server_context_ = worker_.server_context(state_.listener);
  }
  const state::Exchange* const exchange = state_.exchange.get();
  route_ = exchange != nullptr && !exchange->route.empty() ? worker_.settings().routes.named(exchange->route) : nullptr;
  received_since_ = 0;
  stretched_rules_.reset();
  const std::size_t here = state_.client.unread.size();
  if (here < worker_.rules().head_bytes) return;
  stretched_rules_ = std::make_unique<engine::Rules>(route_ != nullptr ? route_->rules : worker_.rules());
  stretched_rules_->head_bytes += here;
}

// A trusted proxy stands for many clients. Those that it names in a PROXY header are counted once that has come.
bool Connection::count_for_client() {
  const std::uint64_t most = worker_.settings().config.limits.connections_per_client;
  if (most == 0 || place_ || is_trusted_) return false;
  auto [place, count] = worker_.settings().counts->connections.enter(rates::ClientKey(state_.client_address).bytes());
  place_ = std::move(place);
  return count > most;
}

void Connection::follow(const routing::Route* route) {
  route_ = route;
  if (!stretched_rules_) return;
  const std::uint64_t head_bytes = stretched_rules_->head_bytes;
  *stretched_rules_ = route_ != nullptr ? route_->rules : worker_.rules();
  stretched_rules_->head_bytes = head_bytes;
}

// Half-way through a step the state is inconsistent, so the connection can only be ended.
template <class Step>
void Connection::guarded(Step step) noexcept {
  try {
    step();
  } catch (const std::exception& error) {
    worker_.forget_refusal();
    worker_.note_failure(error, &state_);
    if (!closed_) close(true);
  }
}

void Connection::reconfigured() {
  guarded([this] {
    const bool was_asking = question_ != nullptr;
    look_up_place();
    count_for_client();
    if (is_arriving()) return take_turn();  // perhaps it need not wait any longer
    if (was_asking) return take_turn();
    if (!upstream_.is_connecting()) return set_deadline();
    // A connect under way may be to a server that is gone, so it is started again.
    upstream_.drop(false);
    take_turn();
  });
}

bool Connection::watch() { return client_.watch() && (upstream_.connected() == nullptr || upstream_.connected()->watch()); }

bool Connection::at_boundary() const {
  return std::holds_alternative<state::Raw>(state_.protocol) || is_arriving() || engine::at_boundary(state_);
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
  forget_password();
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
  upstream_.let_go();
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
      return close(false);
    }
    if (looks_again_) return take_turn();
    engine::Context context = this->context();
    Action action;
    if (worker_.now_ms() >= upstream_.deadline_ms()) {
      action = after(upstream_.expire(asking()), context);
    } else {
      if (upstream_.is_connecting()) upstream_.give_up("timeouts.total: the exchange takes too long");
      forget_password();
      action = engine::expire(state_, context);
    }
    if (obey(action, context)) take_turn();
  });
}

void Connection::on_place(upstream::Place place) {
  if (frozen_ || closed_) return;
  guarded([&] {
    worker_.begin_turn();
    engine::Context context = this->context();
    if (!obey(after(upstream_.take(std::move(place), asking()), context), context)) return;
    if (upstream_.is_connecting()) return set_deadline();
    if (!awaits_turn_) take_turn();
  });
}

// ── The handshake ─────────────────────────────────────────────────────────────────────────────────────────────────

bool Connection::shakes_hands() const {
  const auto* tls = state_.client.tls.get();
  return tls != nullptr && (tls->stage == state::TlsStage::hello || tls->stage == state::TlsStage::handshake);
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

// By the certificates of now; the client has seen those of its handshake. Without any, the listener is gone.
bool Connection::shows_certificate_for(std::string_view host) const {
  const auto context = worker_.server_context(state_.listener);
  return !context || context->covers(state_.client.tls->facts.server_name, host);
}

void Connection::run() {
  guarded([this] { take_turn(); });
}

// ── What the engine asks for ──────────────────────────────────────────────────────────────────────────────────────

Action Connection::after(UpstreamSide::Progress progress, engine::Context& context) {
  using enum UpstreamSide::Progress;
  context.servers = upstream_.servers();
  context.retry_budget = upstream_.retry_budget();
  switch (progress) {
    case waiting: return Action::wait;
    // Advance at once: the state must not be frozen with a leg that the request has not been put on yet.
    case connected: return engine::advance(state_, context).action;
    case unavailable:
      return engine::upstream_lost(state_, Loss::unavailable, context);
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

void Connection::note_step() {
  const http1::Answered answered = worker_.take_answered();
  if (answered.status != 0) upstream_.note_answered(answered.status, answered.elapsed_ms);
  if (const std::string_view why = worker_.server_failure(); !why.empty()) upstream_.note_failed(why);
  worker_.note_refusal(state_);
}

bool Connection::obey(Action action, engine::Context& context) {
  if (worker_.has_news()) note_step();
  if (const routing::Route* const chosen = worker_.take_route()) {
    follow(chosen);
    context.rules = &rules();
    context.route = chosen;
  }
  while (action == Action::connect || action == Action::authenticate) {
    const bool connects = action == Action::connect;
    action = connects ? after(upstream_.connect(asking()), context) : authenticate(context);
    if (worker_.has_news()) note_step();
  }
  switch (action) {
    case Action::wait:
    case Action::connect:
    case Action::authenticate:
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

Action Connection::authenticate(engine::Context& context) {
  question_ = worker_.ask_verifier([this](bool is_good) { verified(is_good); });
  if (question_) return Action::wait;
  context.verdict = verdict_ = http1::Verdict::busy;
  return engine::advance(state_, context).action;
}

void Connection::verified(bool is_good) {
  question_.reset();
  verdict_ = is_good ? http1::Verdict::good : http1::Verdict::bad;
  if (!awaits_turn_) guarded([this] { take_turn(); });
}

// The answer to a question under way is not heard.
void Connection::forget_password() {
  question_.reset();
  verdict_ = http1::Verdict::none;
}

bool Connection::end_exchange() {
  log_exchange();
  forget_password();
  state_.exchange.reset();
  follow(nullptr);
  if (worker_.stopping() && engine::is_idle(state_)) {
    close(false);
    return false;
  }
  return !worker_.boundary(*this);
}

// ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

// As it was decided when it got its route.
bool Connection::is_logged(const state::Exchange& exchange) {
  if (exchange.access) return true;
  const bool route_is_gone = route_ == nullptr && !exchange.route.empty();
  return !route_is_gone && rules().keep_access;
}

void Connection::log_exchange() {
  state::Exchange* const exchange = state_.exchange.get();
  if (exchange == nullptr || exchange->started_ms == 0) return;
  ++worker_.counters.requests;
  worker_.count_noticed();
  if (exchange->status >= 500) ++worker_.counters.failures;
  if (route_ != nullptr) worker_.count_request(*route_, exchange->status >= 500);
  if (is_logged(*exchange)) {
    const bool is_split = !exchange->split_to.empty() && (route_ == nullptr || !route_->split.empty());
    const std::string_view of_route = route_ != nullptr ? std::string_view(route_->upstream) : std::string_view();
    worker_.log_access(state_, *exchange, is_split ? exchange->split_to.view() : of_route);
  }
  exchange->started_ms = 0;
}

void Connection::close(bool with_reset) {
  place_.leave();  // not only at the end of the round: who sees the end, here or in the status, may connect at once
  forget_password();
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

}  // namespace baton::proxy
