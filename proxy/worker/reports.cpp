// What a worker tells the operator: lines of the access log and the event log, and counts for the status.
#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include "proxy/http1/forward.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/state/codec.hpp"
#include "proxy/worker/worker.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

constexpr std::size_t access_bytes_max = 64 * 1024;
constexpr std::int64_t failure_line_every_ms = 1'000;

}  // namespace

void Worker::log_access(const state::ConnectionState& state, const state::Exchange& exchange) noexcept {
  if (!settings_->access_format || access_log_ == nullptr) return;
  const std::size_t before = access_lines_.size();
  try {
    runtime::append_access_line(*settings_->access_format, state, exchange, now_ms(), access_lines_);
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
  std::int64_t& next_line_ms = next_failure_line_ms_[name];  // one line a second for each server says it
  if (now_ms() < next_line_ms) return;
  next_line_ms = now_ms() + failure_line_every_ms;
  log::warning("server {} cannot be connected: {}", name, why);
}

void Worker::note_tls_failure(const state::ConnectionState& state, std::string_view why) {
  if (now_ms() < next_tls_line_ms_) return;
  next_tls_line_ms_ = now_ms() + failure_line_every_ms;
  log::info("TLS with {} on {} failed: {}", state.client_address.text(), state.listener, why);
}

void Worker::log_refusal(const state::ConnectionState& state) {
  const auto [status, why] = std::exchange(scratch_.refusal, {});
  if (!log::enabled(log::Level::debug)) return;
  log::debug("{} on {} gets {}: {}", state.client_address.text(), state.listener, status,
             why.empty() ? http1::reason_phrase(status) : why);
}

void Worker::note_failure(const std::exception& error, const state::ConnectionState* state) noexcept {
  ++counters.aborted;
  short_of_memory_ = true;
  state::free_spare_memory();
  pause_accepting(Pause::a_moment);
  if (now_ms() < next_abort_line_ms_) return;
  next_abort_line_ms_ = now_ms() + failure_line_every_ms;
  const bool is_memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
  const char* const why = is_memory ? "there is no memory" : error.what();
  if (state == nullptr) return log::error("a connection cannot be served: {}", why);
  try {
    log::error("the connection of {} is reset: {}", state->client_address.text(), why);
  } catch (const std::bad_alloc&) {
    log::error("a connection is reset: {}", why);
  }
}

void Worker::count(ConnectionCounts& into) const {
  const auto note = [&](const Connection& connection) {
    const std::string_view name = state::phase_name(connection.state());
    ++(name == "idle"       ? into.idle
       : name == "head"     ? into.head
       : name == "exchange" ? into.exchange
       : name == "tunnel"   ? into.tunnel
                            : into.closing);
  };
  for (const Connection* one = first_; one != nullptr; one = one->next_) note(*one);
  into.upstream_idle += pool_.idle();
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
