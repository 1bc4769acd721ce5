// A connection's turn: passes of reading, letting the engine advance and writing, until nothing moves or it is the turn
// of others.
#include <fmt/format.h>

#include <algorithm>

#include "proxy/worker/connection.hpp"
#include "proxy/worker/connection_step.hpp"
#include "proxy/worker/worker.hpp"

namespace baton::proxy {

using engine::Action;
using engine::Loss;
using runtime::Io;

namespace {

// The kernel reports no event when the other side has acknowledged the last byte.
constexpr std::int64_t look_again_ms = 100;

}  // namespace

// ── Of an exchange ────────────────────────────────────────────────────────────────────────────────────────────────

bool ExchangeRunner::read_upstream(std::size_t& moved, Action& then) {
  state::UpstreamLeg& leg = *side_.upstream();
  tls::Stream& stream = *upstream_.connected();
  const std::size_t bytes = engine::wanted_from_upstream(side_, rules());
  if (bytes == 0) {
    const bool is_tunnel = std::holds_alternative<state::Tunnelling>(side_.exchange->phase);
    if (!stream.socket().broken() || leg.was_reset || leg.write_ended || !is_tunnel) return false;
    leg.was_reset = stream.socket().finds_reset() && !leg.read_ended;
    engine::upstream_write_failed(side_);
    return true;
  }
  const std::size_t before = leg.unread.size();
  std::optional<Io> io;
  if (stream.socket().is_bulky()) [[unlikely]]
    io = pass_download(moved);
  if (!io) io = stream.receive(leg, bytes);
  switch (*io) {
    case Io::done:
      moved += leg.unread.size() - before;
      leg.read_at_ms = worker_.now_ms();
      return true;
    case Io::ended:
      leg.read_ended = true;
      return true;
    case Io::failed: {
      if (!stream.failure().empty()) worker_.note_connection_failure(leg, fmt::format("TLS: {}", stream.failure()));
      then = engine::upstream_lost(side_, Loss::reset, connection_.context(*this));
      return true;
    }
    case Io::would_block:
      break;
  }
  return false;
}

std::optional<Io> ExchangeRunner::pass_download(std::size_t& moved) {
  const std::uint64_t most = engine::unseen_download(side_);
  runtime::Pipe* const pipe = most >= runtime::Socket::bulk_bytes ? worker_.pipe() : nullptr;
  if (pipe == nullptr) return std::nullopt;
  const auto [bytes, failed] =
      pipe->pass(upstream_.connected()->socket(), connection_.client_socket(), most, side_.client.unsent);
  if (bytes == 0) return failed ? std::optional(Io::failed) : std::nullopt;
  engine::note_unseen_download(side_, bytes, worker_.now_ms());
  connection_.counts().sent.add(bytes - side_.client.unsent.size());
  moved += bytes;
  return Io::done;
}

std::optional<Io> ExchangeRunner::pass_upload(std::size_t& moved) {
  const std::uint64_t most = engine::unseen_upload(side_);
  const bool is_connected = upstream_.connected() != nullptr;
  runtime::Pipe* const pipe = most >= runtime::Socket::bulk_bytes && is_connected ? worker_.pipe() : nullptr;
  if (pipe == nullptr) return std::nullopt;
  const auto [bytes, failed] =
      pipe->pass(connection_.client_socket(), upstream_.connected()->socket(), most, side_.upstream()->unsent);
  if (bytes == 0) return failed ? std::optional(Io::failed) : std::nullopt;
  engine::note_unseen_upload(side_, bytes, worker_.now_ms());
  note_received(bytes);
  connection_.counts().received.add(bytes);
  moved += bytes;
  return Io::done;
}

bool ExchangeRunner::write_upstream(std::size_t& moved) {
  tls::Stream* const stream = upstream_.connected();
  state::UpstreamLeg& leg = *side_.upstream();
  const std::size_t before = leg.unsent.size();
  switch (stream->send(leg, worker_.now_ms())) {
    case Io::done:
      leg.write_at_ms = worker_.now_ms();
      moved += before - leg.unsent.size();
      return true;
    case Io::failed:
      engine::upstream_write_failed(side_);
      return true;
    default:
      return false;
  }
}

// ── Of a connection ───────────────────────────────────────────────────────────────────────────────────────────────

[[gnu::always_inline]] inline engine::Context Connection::make_context(ExchangeRunner& runner) {
  UpstreamSide& upstream = runner.upstream();
  engine::Context context = worker_.context(&runner.rules(), client_text_, upstream.servers(), listener_ == nullptr);
  context.route = runner.route();
  context.verdict = runner.verdict();
  context.retry_budget = upstream.retry_budget();
  context.connection = &state_;
  context.peer = &state_.client_address;
  if (is_trusted_) context.trusted = &trusted_proxies();
  if (const auto* tls = state_.client.tls.get()) {
    context.https = true;
    context.client_subject = tls->facts.client_subject;
    context.client = this;
    context.certificate_covers = [](const void* client, std::string_view host) {
      return static_cast<const Connection*>(client)->shows_certificate_for(host);
    };
  }
  return context;
}

// It is where nearly all steps come from.
void Connection::run() {
  guarded([this] { turn(); });
}

void Connection::take_turn() { turn(); }

[[gnu::always_inline]] inline void Connection::turn() {
  if (closed_) return;
  frozen_ = false;
  if (is_arriving() && (!arrive() || (!shakes_hands() && worker_.boundary(*this)))) return;
  if (shakes_hands() && !shake_hands()) return;
  if (http2_) return take_turn_of_http2();
  turn_bytes_ = 0;
  looks_again_ = false;
  worker_.begin_turn();
  engine::Context context = make_context(runner_);
  for (int pass = 0;; ++pass) {
    if (pass == passes_max || turn_bytes_ >= turn_bytes_max) {
      ask_for_another_turn();
      break;
    }
    const bool read = read_legs();
    if (closed_) return;
    if (may_begin_http2_ && !begins_with_http1()) return http2_ ? take_turn_of_http2() : set_deadline();
    context.rules = &runner_.rules();  // those of the last pass may be gone
    const Action action = runner_.waits() ? Action::wait : engine::advance(state_, context).action;
    if (action == Action::reset && is_delivering()) {
      looks_again_ = true;
      worker_.forget_refusal();
      break;
    }
    const bool is_quiet = action == Action::wait && !worker_.has_something_to_take();
    if (!is_quiet && !obey(action, context)) return;
    const bool wrote = write_legs();
    if (closed_) return;
    if (action == Action::wait && !read && !wrote) break;
    if (engine::waits_for_bytes(state_) && !can_move()) break;  // the next pass would do nothing
  }
  set_deadline();
}

void Connection::ask_for_another_turn() {
  if (!awaits_turn_) worker_.loop().again(*this);
  awaits_turn_ = true;
}

// One side is gone, and the kernel still holds earlier bytes for the other: a reset would discard them.
bool Connection::is_delivering() {
  const state::UpstreamLeg* const leg = state_.upstream();
  if (leg == nullptr) return false;
  const auto takes_all = [this](const state::Leg& gone, const state::Leg& to, const runtime::Socket& socket) {
    const std::int64_t send_ms = runner_.rules().send_ms;
    const bool is_late = worker_.now_ms() >= std::max(gone.read_at_ms, to.write_at_ms) + send_ms;
    return gone.read_ended && gone.unread.empty() && !to.was_reset && !socket.broken() && !is_late &&
           socket.unacknowledged() != 0;
  };
  const tls::Stream* const upstream = runner_.upstream().connected();
  const bool is_tunnel = std::holds_alternative<state::Raw>(state_.protocol) && upstream != nullptr;
  return takes_all(*leg, state_.client, client_.socket()) ||
         (is_tunnel && takes_all(state_.client, *leg, upstream->socket()));
}

bool Connection::read_legs() {
  bool progress = client_.readable(state_.client) && read_client();
  if (closed_) return true;
  if (carriers_) [[unlikely]]
    progress = carriers_->read(turn_bytes_) || progress;
  Action then = Action::wait;
  if (!runner_.can_read() || !runner_.read_upstream(turn_bytes_, then)) return progress;
  if (then != Action::wait) obey(then);
  return true;
}

// One write may take only a part, and as long as the kernel takes everything it reports no event.
bool Connection::can_move() const {
  const state::Leg& leg = state_.client;
  return client_.readable(leg) || can_write_client() || runner_.can_move() || (carriers_ && carriers_->can_move());
}

bool Connection::read_client() {
  state::Leg& leg = state_.client;
  const std::size_t bytes = engine::wanted_from_client(state_, runner_.rules());
  if (bytes == 0) {
    if (!client_.socket().broken() || leg.was_reset || leg.write_ended) return false;
    // The client takes no more bytes, so there is no one left to answer.
    leg.was_reset = client_.socket().finds_reset() && !leg.read_ended;
    obey(engine::client_write_failed(state_));
    return true;
  }
  const std::size_t before = leg.unread.size();
  std::optional<Io> io;
  if (client_.socket().is_bulky()) [[unlikely]]
    io = runner_.pass_upload(turn_bytes_);
  if (!io) io = client_.receive(leg, bytes);
  switch (*io) {
    case Io::done:
      leg.read_at_ms = worker_.now_ms();
      runner_.note_received(leg.unread.size() - before);
      counts_->received.add(leg.unread.size() - before);
      turn_bytes_ += leg.unread.size() - before;
      return true;
    case Io::ended:
      leg.read_ended = true;
      return true;
    case Io::failed:
      if (client_.failure().empty()) {
        is_reset_by_client_ = true;
        obey(engine::client_lost(state_));
      } else {
        note_tls_failure();
        close(false);  // not by a reset, which could overtake the alert
      }
      return true;
    case Io::would_block:
      break;
  }
  return false;
}

bool Connection::write_legs() {
  bool progress = runner_.can_write() && runner_.write_upstream(turn_bytes_);
  if (carriers_) [[unlikely]]
    progress = carriers_->write(turn_bytes_) || progress;
  return (can_write_client() && write_client()) || progress;
}

bool Connection::write_client() {
  const std::size_t before = state_.client.unsent.size();
  switch (client_.send(state_.client, worker_.now_ms())) {
    case Io::done:
      state_.client.write_at_ms = worker_.now_ms();
      turn_bytes_ += before - state_.client.unsent.size();
      counts_->sent.add(before - state_.client.unsent.size());
      return true;
    case Io::failed:
      if (http2_) {
        close(true);
      } else {
        obey(engine::client_write_failed(state_));
      }
      return true;
    default:
      return false;
  }
}

engine::Context Connection::context(ExchangeRunner& runner) {
  return make_context(runner);
}

void Connection::set_deadline() {
  if (const auto* arriving = std::get_if<state::Arriving>(&state_.protocol)) {
    return worker_.deadlines().set(*this, arriving->since_ms + worker_.settings().handshake_ms);
  }
  if (shakes_hands()) {
    return worker_.deadlines().set(*this, state_.client.tls->since_ms + worker_.settings().handshake_ms);
  }
  if (http2_) return worker_.deadlines().set(*this, http2_->deadline_ms());
  std::int64_t at = std::min(engine::deadline_ms(state_, runner_.rules()), runner_.upstream().deadline_ms());
  if (looks_again_) at = std::min(at, worker_.now_ms() + look_again_ms);
  worker_.deadlines().set(*this, at);
}

}  // namespace baton::proxy
