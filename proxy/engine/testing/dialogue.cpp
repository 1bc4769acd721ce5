#include "proxy/engine/testing/dialogue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "proxy/state/codec.hpp"

namespace baton::engine {

using state::ConnectionState;

Dialogue::Dialogue(Freezing freezing) : freezing_(freezing) {
  state_.id = 1;
  state_.client_address = http1::parse_node("192.0.2.1");
  std::get<state::AwaitingRequest>(std::get<state::Http1>(state_.protocol).phase).since_ms = now_ms;
}

Seen Dialogue::play(const Script& script) {
  for (const Step& step : script) take(step);
  return seen_;
}

void Dialogue::take(const Step& step) {
  if (over()) return;
  using enum Step::What;
  switch (step.what) {
    case client_sends: from_client_ += step.bytes; break;
    case client_ends: client_has_ended_ = true; break;
    case client_resets: client_has_reset_ = true; break;
    case upstream_sends: from_upstream_ += step.bytes; break;
    case upstream_ends: upstream_has_ended_ = true; break;
    case upstream_resets: upstream_has_reset_ = true; break;
    case upstream_takes_no_more:
      if (state_.upstream() != nullptr) upstream_write_failed(state_);
      break;
    case connected:
      if (connecting_) obey(attach(false));
      break;
    case deadline:
      now_ms = deadline_ms();
      connecting_ = asking_ = false;  // an attempt under way is abandoned
      obey(expire(state_, context()));
      break;
  }
  run();
}

// Mirrors Connection::reconfigured.
void Dialogue::reconfigure(const routing::RouteTable& to) {
  routes = &to;
  reconfigured(state_);
  look_up_route();
  verdict_ = http1::Verdict::none;
  const bool was_asking = std::exchange(asking_, false);
  if (!std::exchange(connecting_, false) && !was_asking) return;
  scratch_.parsed_for = nullptr;
  run();
}

void Dialogue::look_up_route() {
  route_ = routes != nullptr && state_.exchange ? routes->named(state_.exchange->route) : nullptr;
}

void Dialogue::verified(http1::Verdict verdict) {
  ASSERT_TRUE(asking_);
  asking_ = false;
  verdict_ = verdict;
  scratch_.parsed_for = nullptr;
  run();
}

Context Dialogue::context() {
  return {.rules = &rules_now(),
          .scratch = scratch_,
          .client_address = "192.0.2.1",
          .now_ms = now_ms,
          .unix_us = unix_us,
          .servers = servers,
          .route = route_,
          .retry_budget = retry_budget,
          .closing = closing,
          .routes = routes,
          .clients = clients,
          .peer = &state_.client_address,
          .trusted = trusted,
          .maintenance = maintenance,
          .verdict = verdict_,
          .certificate_covers = certificate_covers};
}

void Dialogue::freeze() {
  if (freezing_ == Freezing::never || over()) return;
  auto moved = state::decode(state::encode(state_), state::encode_secrets(state_).view(), 0);
  ASSERT_TRUE(moved) << "a state of the engine's does not hold together";
  auto& there = std::get<ConnectionState>(*moved);
  if (auto* answering = state_.exchange ? std::get_if<state::Answering>(&state_.exchange->phase) : nullptr) {
    state_.client.unsent.append(answering->rest());  // what a parcel carries of it
    state_.exchange->response_bytes += answering->rest().size();
    *answering = {};
  }
  ASSERT_EQ(there, state_);
  state_ = std::move(there);
  scratch_ = {};
  look_up_route();
}

// Mirrors Connection::run.
void Dialogue::run() {
  for (int pass = 0; !over(); ++pass) {
    ASSERT_LT(pass, 10'000) << "the engine does not come to rest";
    freeze();
    const bool has_read = read();
    if (over()) return;
    freeze();
    const Action action = connecting_ || asking_ ? Action::wait : advance(state_, context()).action;
    obey(action);
    if (over()) return;
    freeze();
    const bool has_written = write();
    if (!has_written && action == Action::wait && !has_read) return;
    check_rest();
  }
}

// When the engine says that it waits for bytes, a connection makes no further pass.
void Dialogue::check_rest() {
  if (!waits_for_bytes(state_)) return;
  const ConnectionState before = state_;
  ASSERT_EQ(advance(state_, context()).action, Action::wait);
  ASSERT_EQ(state_, before);
}

bool Dialogue::read() {
  bool progress = false;
  const std::size_t wanted = wanted_from_client(state_, rules_now());
  if (const std::size_t bytes = std::min(wanted, from_client_.size()); bytes != 0) {
    state_.client.unread.append(std::string_view(from_client_).substr(0, bytes));
    from_client_.erase(0, bytes);
    state_.client.read_at_ms = now_ms;
    progress = true;
  } else if (wanted != 0 && client_has_reset_) {
    obey(client_lost(state_));
    progress = true;
  } else if (client_has_reset_ && !state_.client.was_reset) {
    obey(client_write_failed(state_));
    progress = true;
  } else if (wanted != 0 && client_has_ended_) {
    state_.client.read_ended = progress = true;
  }
  if (over() || state_.upstream() == nullptr) return progress;
  const std::size_t wanted_of_upstream = wanted_from_upstream(state_, rules_now());
  if (const std::size_t bytes = std::min(wanted_of_upstream, from_upstream_.size()); bytes != 0) {
    state_.upstream()->unread.append(std::string_view(from_upstream_).substr(0, bytes));
    from_upstream_.erase(0, bytes);
    state_.upstream()->read_at_ms = now_ms;
    progress = true;
  } else if (wanted_of_upstream != 0 && upstream_has_reset_) {
    obey(upstream_lost(state_, Loss::reset, context()));
    progress = true;
  } else if (wanted_of_upstream != 0 && upstream_has_ended_) {
    state_.upstream()->read_ended = progress = true;
  }
  return progress;
}

bool Dialogue::write() {
  bool progress = false;
  state::UpstreamLeg* const upstream = state_.upstream();
  if (upstream != nullptr && upstream_reads && !upstream->unsent.empty()) {
    seen_.upstreams.back().received += upstream->unsent.view();
    upstream->unsent.clear();
    upstream->write_at_ms = now_ms;
    progress = true;
  }
  if (client_reads && !state_.client.unsent.empty()) {
    seen_.client += state_.client.unsent.view();
    state_.client.unsent.clear();
    state_.client.write_at_ms = now_ms;
    progress = true;
  }
  return progress;
}

void Dialogue::obey(Action action) {
  if (scratch_.route != nullptr) route_ = std::exchange(scratch_.route, nullptr);
  while (action == Action::connect) {
    freeze();
    action = connect();
  }
  using Fate = Seen::Upstream::Fate;
  switch (action) {
    case Action::wait:
    case Action::connect:
      break;
    case Action::authenticate:
      questions_.push_back(scratch_.question.credentials);
      asking_ = true;
      break;
    case Action::park:
      drop_upstream(Fate::parked);
      break;
    case Action::close_upstream:
      drop_upstream(Fate::closed);
      break;
    case Action::cut_upstream:
      drop_upstream(Fate::cut);
      break;
    case Action::exchange_ended:
    case Action::exchange_ended_early:
      ASSERT_EQ(state_.upstream(), nullptr);
      verdict_ = http1::Verdict::none;
      log();
      state_.exchange.reset();
      route_ = nullptr;
      break;
    case Action::end_client_writing:
      state_.client.write_ended = seen_.client_ended = true;
      break;
    case Action::end_upstream_writing:
      state_.upstream()->write_ended = true;
      seen_.upstreams.back().fate = Fate::ended;
      break;
    case Action::close:
    case Action::reset:
      log();
      seen_.end = action == Action::close ? Seen::End::closed : Seen::End::reset;
      break;
  }
}

void Dialogue::drop_upstream(Seen::Upstream::Fate fate) {
  state_.exchange->upstream.reset();
  if (seen_.upstreams.back().fate == Seen::Upstream::Fate::open || fate != Seen::Upstream::Fate::cut) {
    seen_.upstreams.back().fate = fate;
  }
}

Action Dialogue::connect() {
  Attempt attempt = Attempt::fresh;
  if (!attempts.empty()) {
    attempt = attempts.front();
    attempts.pop_front();
  }
  switch (attempt) {
    case Attempt::refused: return upstream_lost(state_, Loss::connect_failed, context());
    case Attempt::timed_out: return upstream_lost(state_, Loss::connect_timed_out, context());
    case Attempt::late: connecting_ = true; return Action::wait;
    case Attempt::fresh: return attach(false);
    case Attempt::pooled: return attach(true);
  }
  return Action::wait;
}

Action Dialogue::attach(bool reused) {
  connecting_ = false;
  from_upstream_.clear();
  upstream_has_ended_ = upstream_has_reset_ = false;
  state_.exchange->upstream.emplace().reused = reused;
  seen_.upstreams.emplace_back().route = state_.exchange->route;
  return advance(state_, context()).action;
}

void Dialogue::log() {
  if (!state_.exchange || state_.exchange->started_ms == 0) return;
  seen_.statuses.push_back(state_.exchange->status);
  logged_.push_back(*state_.exchange);
  state_.exchange->started_ms = 0;
}

}  // namespace baton::engine
