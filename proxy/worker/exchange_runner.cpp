#include "proxy/worker/exchange_runner.hpp"

#include "proxy/worker/worker.hpp"

namespace baton::proxy {

using engine::Action;
using engine::Loss;

// ── What it goes by ───────────────────────────────────────────────────────────────────────────────────────────────

void ExchangeRunner::reconfigured() {
  engine::reconfigured(side_);
  forget_password();
  upstream_.reconfigured(side_.upstream());
  const state::Exchange* const exchange = side_.exchange.get();
  route_ = exchange != nullptr && !exchange->route.empty() ? worker_.settings().routes.named(exchange->route) : nullptr;
  received_since_ = 0;
  stretched_rules_.reset();
  rules_ = &rules_of_route();
  const std::size_t here = side_.client.unread.size();
  if (here < worker_.rules().head_bytes) return;
  stretched_rules_ = std::make_unique<engine::Rules>(*rules_);
  stretched_rules_->head_bytes += here;
  rules_ = stretched_rules_.get();
}

const engine::Rules& ExchangeRunner::rules_of_route() const {
  return route_ != nullptr ? route_->rules : worker_.rules();
}

void ExchangeRunner::follow(const routing::Route* route) {
  route_ = route;
  if (!stretched_rules_) {
    rules_ = &rules_of_route();
    return;
  }
  const std::uint64_t head_bytes = stretched_rules_->head_bytes;
  *stretched_rules_ = rules_of_route();
  stretched_rules_->head_bytes = head_bytes;
}

// A lowered limit on heads applies only to bytes that arrive later, until all earlier bytes are consumed.
void ExchangeRunner::unstretch() {
  if (side_.client.unread.size() > received_since_) return;
  stretched_rules_.reset();
  rules_ = &rules_of_route();
}

std::string ExchangeRunner::client() const {
  const state::ConnectionState& connection = connection_.state();
  return side_.exchange ? state::client_of(*side_.exchange, connection.client_address).node_text()
                        : std::string(connection_.client_text());
}

// ── What the engine asks for ──────────────────────────────────────────────────────────────────────────────────────

Action ExchangeRunner::after(UpstreamSide::Progress progress, engine::Context& context) {
  using enum UpstreamSide::Progress;
  context.servers = upstream_.servers();
  context.retry_budget = upstream_.retry_budget();
  switch (progress) {
    case waiting:
      return Action::wait;
    // Advance at once: the state must not be frozen with a leg that the request has not been put on yet.
    case connected:
      return connection_.advance(side_, context);
    case unavailable:
      return engine::upstream_lost(side_, Loss::unavailable, context);
    case unreachable:
      return engine::upstream_lost(side_, Loss::unreachable, context);
    case failed:
      return engine::upstream_lost(side_, Loss::connect_failed, context);
    case timed_out:
      return engine::upstream_lost(side_, Loss::connect_timed_out, context);
  }
  return Action::wait;
}

void ExchangeRunner::note_step() {
  const http1::Answered answered = worker_.take_answered();
  if (answered.status != 0) {
    upstream_.note_answered(answered.status, answered.elapsed_ms);
    if (side_.exchange && side_.exchange->access) side_.exchange->access->answered_ms = worker_.now_ms();
  }
  if (const std::string_view why = worker_.server_failure(); !why.empty()) upstream_.note_failed(why);
  worker_.note_refusal(connection_.state(), side_);
}

Action ExchangeRunner::obey(Action action, engine::Context& context) {
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
    case Action::park:
      upstream_.park(std::move(side_.exchange->upstream));
      return Action::wait;
    case Action::close_upstream:
      upstream_.close(*side_.exchange->upstream);
      side_.exchange->upstream.reset();
      return Action::wait;
    case Action::cut_upstream:
      upstream_.drop(true);
      side_.exchange->upstream.reset();
      return Action::wait;
    case Action::end_upstream_writing:
      if (side_.upstream()->stream) {
        side_.upstream()->write_ended = true;
      } else {
        upstream_.connected()->end_writing(*side_.upstream());
      }
      return Action::wait;
    default:
      return action;
  }
}

Action ExchangeRunner::expire(engine::Context& context) {
  if (worker_.now_ms() >= upstream_.deadline_ms()) return after(upstream_.expire(asking()), context);
  if (upstream_.is_connecting()) upstream_.give_up("timeouts.total: the exchange takes too long");
  forget_password();
  return connection_.expire(side_, context);
}

Action ExchangeRunner::authenticate(engine::Context& context) {
  question_ = worker_.ask_verifier([this](bool is_good) { verified(is_good); });
  if (question_) return Action::wait;
  context.verdict = verdict_ = http1::Verdict::busy;
  return connection_.advance(side_, context);
}

void ExchangeRunner::verified(bool is_good) {
  question_.reset();
  verdict_ = is_good ? http1::Verdict::good : http1::Verdict::bad;
  connection_.go_on(*this);
}

void ExchangeRunner::forget_password() {
  question_.reset();
  verdict_ = http1::Verdict::none;
}

void ExchangeRunner::freeze() {
  forget_password();
  if (upstream_.is_connecting()) upstream_.drop(false);
  if (upstream_.connected() != nullptr) upstream_.connected()->freeze();
}

// ── The end of the exchange ───────────────────────────────────────────────────────────────────────────────────────

void ExchangeRunner::end_exchange() {
  log_exchange();
  forget_password();
  side_.exchange.reset();
  follow(nullptr);
}

namespace {

// Of a tcp listener: its tunnel did not begin as a request.
bool is_tcp(const state::Exchange& exchange) {
  return std::holds_alternative<state::Tunnelling>(exchange.phase) && exchange.status == 0;
}

}  // namespace

// As it was decided when it got its route.
bool ExchangeRunner::is_logged(const state::Exchange& exchange) {
  if (exchange.access) return true;
  const bool route_is_gone = route_ == nullptr && !exchange.route.empty();
  return !route_is_gone && rules().keep_access;
}

void ExchangeRunner::log_exchange() {
  state::Exchange* const exchange = side_.exchange.get();
  if (exchange == nullptr || exchange->started_ms == 0) return;
  const access_log::Entry entry(connection_.state(), side_.client, *exchange, worker_.now_ms(), worker_.generation());
  const state::Ending ending = entry.ending();
  const bool is_request = !is_tcp(*exchange);
  // A connection that never finished its handshake has no line and no count, whatever its listener is for.
  const bool has_begun = is_request || !connection_.shakes_hands();
  if (is_request) {
    ++worker_.counters.requests;
    if (exchange->status >= 500) ++worker_.counters.failures;
    worker_.count_request(entry, ending, connection_.listener(), route_);
    upstream_.note_ended(ending);
  } else if (has_begun) {
    connection_.counts().tunnels[static_cast<std::size_t>(ending)].add();
  }
  if (has_begun && is_logged(*exchange)) worker_.log_access(entry, rules().access_share);
  const bool is_unanswered = is_request && exchange->status == 0;
  const std::int64_t waited_ms = is_unanswered ? worker_.now_ms() - exchange->started_ms : 0;
  if (has_begun) worker_.note_for_canary(connection_, exchange->status, ending, waited_ms);
  exchange->started_ms = 0;
}

// ── Events ────────────────────────────────────────────────────────────────────────────────────────────────────────

void ExchangeRunner::on_ready(runtime::Socket& socket) {
  const bool is_connecting = upstream_.is_connecting() && upstream_.owns(socket);
  if (!is_connecting) return connection_.go_on(*this);
  connection_.go_on(*this,
                    [this](engine::Context& context) { return after(upstream_.go_on(*side_.exchange), context); });
}

void ExchangeRunner::on_place(upstream::Place place) {
  connection_.go_on(*this, [&](engine::Context& context) {
    worker_.begin_turn();
    return after(upstream_.take(std::move(place), asking()), context);
  });
}

}  // namespace baton::proxy
