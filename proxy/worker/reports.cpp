// What a worker tells the operator: lines of the access log and the event log, and counts for the status.
#include <algorithm>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "proxy/access_log/line.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/state/codec.hpp"
#include "proxy/worker/worker.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

constexpr std::size_t access_bytes_max = 64 * 1024;
constexpr std::int64_t abort_line_every_ms = 1'000;
constexpr std::int64_t open_counted_every_ms = 5'000;

using Kind = FailureLines::Kind;

bool ended_well(const access_log::Entry& entry) {
  const state::Ending ending = entry.ending();
  return entry.status() < 500 && (ending == state::Ending::done || ending == state::Ending::answered);
}

// By which the access log, the client and the server know the request; empty: it has none.
std::string_view id_of(const state::ClientSide& side) {
  if (!side.exchange || !side.exchange->extras) return {};
  return side.exchange->extras->request_id;
}

std::string in_words(std::string_view request_id) {
  return request_id.empty() ? std::string() : fmt::format(", request {}", request_id);
}

}  // namespace

void Worker::count_request(const access_log::Entry& entry, state::Ending ending, const ListenerRules* listener,
                           const routing::Route* route) {
  tally_.count({.listener = listener != nullptr ? listener->index : no_index,
                .route = route != nullptr ? settings_->routes.index_of(*route) : no_index,
                .protocol = entry.is_http2() ? metrics::Protocol::http2 : metrics::Protocol::http1,
                .tls = metrics::tls_version(entry.tls_version() != 0, entry.tls_version()),
                .status = entry.status(),
                .ending = ending,
                .duration_ms = entry.duration_ms(),
                .bytes_in = entry.bytes_in(),
                .bytes_out = entry.bytes_out(),
                .is_tunnel = entry.is_tunnel()});
}

// A canary's listeners of its own have clients that chance has not sent, and the others have none like them.
std::optional<std::uint64_t> Worker::client_in_experiment(const Connection& connection) const {
  const state::ConnectionState& state = connection.state();
  const bool was_accepted_here = state.id >> 48 == (shared_.generation & 0xffff);
  if (!only_canary_ && was_accepted_here) return std::nullopt;
  return experiment_->selection.client_of(state, connection.is_trusted());
}

void Worker::count_in_experiment(const Connection& connection, bool has_failed) {
  if (const auto client = client_in_experiment(connection)) experiment_->tally.note(*client, has_failed, now_ms());
}

namespace {

bool is_unanswered(const state::Exchange& exchange, std::int64_t now_ms) {
  const auto* relaying = std::get_if<state::Relaying>(&exchange.phase);
  return relaying != nullptr && std::holds_alternative<state::ResponseAwaited>(relaying->response) &&
         exchange.upstream && now_ms - exchange.upstream->write_at_ms >= canary::unanswered_ms;
}

}  // namespace

// An exchange may end too late to count: a tunnel or a long download for the process that serves it well, one that the
// server does not answer against it.
void Worker::count_open_exchanges(std::int64_t now_ms) {
  next_count_open_ms_ = now_ms + open_counted_every_ms;
  for (const Connection* one = first_; one != nullptr; one = one->next_) {
    const state::ConnectionState& state = one->state();
    const state::Http2* const http2 = state.http2();
    if (!state.exchange && (http2 == nullptr || http2->streams.empty())) continue;
    const auto client = client_in_experiment(*one);
    if (!client) continue;
    bool waits = state.exchange && is_unanswered(*state.exchange, now_ms);
    if (http2 != nullptr) {
      for (const auto& side : http2->streams)
        waits = waits || (side->exchange && is_unanswered(*side->exchange, now_ms));
    }
    waits ? experiment_->tally.note(*client, true, now_ms) : experiment_->tally.note_open(*client, now_ms);
  }
}

void Worker::log_access(const access_log::Entry& entry, unsigned share) noexcept {
  if (!settings_->access_format || access_log_ == nullptr) return;
  const bool is_left_out =
      share != config::access_log_all && ended_well(entry) && sampling_() % config::access_log_all >= share;
  if (is_left_out) return;
  const std::size_t before = access_lines_.size();
  try {
    access_log::append_line(*settings_->access_format, entry, access_lines_);
  } catch (const std::bad_alloc&) {
    access_lines_.resize(before);  // the line is lost
  }
  if (access_lines_.size() >= access_bytes_max) flush_access();
}

void Worker::flush_access() {
  if (access_lines_.empty()) return;
  access_log_->write(std::exchange(access_lines_, {}));
}

void Worker::note_connect_failure(const state::SocketAddress& server, std::string_view why) {
  const std::string name = server.text();
  if (const auto more = shared_.failure_lines.next(Kind::connect, name, now_ms())) {
    log::warning("server {} cannot be connected: {}{}", name, why, *more);
  }
}

void Worker::note_connection_failure(const state::UpstreamLeg& leg, std::string_view why) {
  const std::string name = leg.server.text();
  if (const auto more = shared_.failure_lines.next(Kind::connection, name, now_ms())) {
    log::warning("a connection to server {} of {} failed: {}{}", name, leg.upstream, why, *more);
  }
}

// If the server could not be connected, other lines already report that.
void Worker::note_server_failure(const state::ConnectionState& state, const state::ClientSide& side,
                                 std::string_view why) {
  const state::UpstreamLeg* const leg = side.upstream();
  if (leg == nullptr) return;
  const std::string name = leg->server.text();
  if (const auto more = shared_.failure_lines.next(Kind::server, name, now_ms())) {
    log::of_request(id_of(side), log::Level::warning, "server {} of {} failed on {}: {}{}{}", name, leg->upstream,
                    state.listener, why, in_words(id_of(side)), *more);
  }
}

void Worker::note_tls_failure(const state::ConnectionState& state, std::string_view why) {
  if (const auto more = shared_.failure_lines.next(Kind::tls, {}, now_ms())) {
    log::info("TLS with {} on {} failed: {}{}", state.client_address.text(), state.listener, why, *more);
  }
}

void Worker::note_http2_failure(const state::ConnectionState& state, std::string_view why) {
  if (const auto more = shared_.failure_lines.next(Kind::http2, {}, now_ms())) {
    log::info("HTTP/2 with {} on {} failed: {}{}", state.client_address.text(), state.listener, why, *more);
  }
}

void Worker::note_http2_refusal(const state::ConnectionState& state, std::string_view why) {
  log::debug("HTTP/2 with {} on {}: a stream is reset: {}", state.client_address.text(), state.listener, why);
}

void Worker::note_arrival_failure(const state::ConnectionState& state, std::string_view why) {
  if (const auto more = shared_.failure_lines.next(Kind::arrival, {}, now_ms())) {
    log::info("the connection of {} on {} is closed: {}{}", state.client_address.text(), state.listener, why, *more);
  }
}

void Worker::note_one_too_many(const state::ConnectionState& state) {
  listener_counts(listener_rules(state.listener)).too_many.add();
  if (const auto more = shared_.failure_lines.next(Kind::too_many, {}, now_ms())) {
    log::warning("limits.connections_per_client: a connection of {} on {} is closed; it has {} already{}",
                 state.client_address.text(), state.listener, settings_->config.limits.connections_per_client, *more);
  }
}

void Worker::log_refusal(const state::ConnectionState& state, const state::ClientSide& side) {
  const http1::Refusal refusal = std::exchange(scratch_.refusal, {});
  if (refusal.is_servers()) note_server_failure(state, side, refusal.why);
  if (refusal.status == 0 || !log::enabled(log::Level::debug)) return;
  const state::SocketAddress& client =
      side.exchange ? state::client_of(*side.exchange, state.client_address) : state.client_address;
  log::of_request(id_of(side), log::Level::debug, "{} on {} gets {}: {}{}", client.text(), state.listener,
                  refusal.status, refusal.why, in_words(id_of(side)));
}

void Worker::note_failure(const std::exception& error, const state::ConnectionState* state) noexcept {
  aborted_.add();
  short_of_memory_ = true;
  state::free_spare_memory();
  pause_accepting(Pause::a_moment);
  if (!shared_.abort_line.opens(now_ms(), abort_line_every_ms)) return;
  const bool is_memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
  const char* const why = is_memory ? "there is no memory" : error.what();
  if (state == nullptr) return log::error("a connection cannot be served: {}", why);
  try {
    log::error("the connection of {} is reset: {}", state->client_address.text(), why);
  } catch (const std::bad_alloc&) {
    log::error("a connection is reset: {}", why);
  }
}

ConnectionCounts Worker::count() const {
  ConnectionCounts counts;
  std::map<std::tuple<std::string_view, metrics::Protocol, metrics::TlsVersion>, OpenCounts> open_of;
  const auto note = [&](const state::ConnectionState& state) {
    const std::string_view name = state::phase_name(state);
    ++(name == "idle"       ? counts.idle
       : name == "head"     ? counts.head
       : name == "exchange" ? counts.exchange
       : name == "tunnel"   ? counts.tunnel
                            : counts.closing);
    const state::Http2* const http2 = state.http2();
    const bool is_raw = std::holds_alternative<state::Raw>(state.protocol);
    const bool has_tls = static_cast<bool>(state.client.tls);
    OpenCounts& open = open_of[{state.listener.view(),
                                http2 != nullptr ? metrics::Protocol::http2
                                : is_raw         ? metrics::Protocol::tcp
                                                 : metrics::Protocol::http1,
                                metrics::tls_version(has_tls, has_tls ? state.client.tls->version : 0)}];
    ++open.connections;
    open.exchanges += http2 != nullptr ? http2->streams.size() : state.exchange ? 1 : 0;
  };
  for (const Connection* one = first_; one != nullptr; one = one->next_) note(one->state());
  for (const auto& [of, open] : open_of) {
    const auto& [listener, protocol, tls] = of;
    counts.open.emplace(std::tuple(std::string(listener), protocol, tls), open);
  }
  counts.upstream_idle += pool_.idle();
  return counts;
}

std::uint64_t Worker::count_unknown_to(const std::vector<std::string>& features) const {
  std::uint64_t unknown = 0;
  for (const Connection* one = first_; one != nullptr; one = one->next_) {
    const auto required = state::required_features(one->state());
    const auto is_known = [&](const std::string& name) { return std::ranges::find(features, name) != features.end(); };
    if (!std::ranges::all_of(required, is_known)) ++unknown;
  }
  return unknown;
}

}  // namespace baton::proxy
