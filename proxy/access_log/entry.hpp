// An exchange that has ended, as the access log sees it, and the value of each placeholder for it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/template.hpp"
#include "proxy/state/state.hpp"

namespace baton::access_log {

class Entry {
 public:
  // All outlive it. `client`: the client's end of the exchange, the connection or a stream.
  Entry(const state::ConnectionState& connection, const state::Flow& client, const state::Exchange& exchange,
        std::int64_t now_ms, std::uint64_t generation)
      : connection_(connection),
        client_(client),
        exchange_(exchange),
        record_(exchange.access ? *exchange.access : no_record),
        generation_(generation),
        now_ms_(now_ms),
        duration_ms_(std::max<std::int64_t>(now_ms - exchange.started_ms, 0)) {}

  // Of the end, as with nginx: the start plus the time elapsed on the monotonic clock.
  std::int64_t unix_ms() const { return std::max<std::int64_t>(exchange_.started_unix_us / 1000 + duration_ms_, 0); }
  state::Ending ending() const {
    using state::Ending;
    const bool is_as_configured = exchange_.ending == Ending::done || exchange_.ending == Ending::answered;
    return is_as_configured && !is_whole() ? Ending::client_gone : exchange_.ending;
  }
  // That of the response; without one 499 if the client has gone, as with nginx. Of a tcp tunnel: 200 once it had a
  // server, and before that the status of an HTTP request which ends so. 0: none.
  unsigned status() const { return exchange_.status != 0 ? exchange_.status : status_without_response(); }
  // The client has received the beginning of a response and gets no more of it.
  bool is_cut() const;
  const state::SocketAddress& client() const;
  const state::AccessRecord& record() const { return record_; }
  std::int64_t duration_ms() const { return duration_ms_; }
  std::uint64_t bytes_in() const { return exchange_.request.body_bytes; }  // content
  std::uint64_t bytes_out() const { return exchange_.response_bytes; }
  bool is_tunnel() const { return std::holds_alternative<state::Tunnelling>(exchange_.phase); }
  bool is_http2() const { return connection_.http2() != nullptr; }
  // On the wire; 0: none.
  std::uint16_t tls_version() const { return connection_.client.tls ? connection_.client.tls->version : 0; }

  // The value as it is, whatever bytes it has; nothing: there is none.
  void append(const config::Template::Part& part, std::string& out) const;

 private:
  // An exchange that began before there was an access log has none.
  static const state::AccessRecord no_record;

  unsigned status_without_response() const;
  bool is_whole() const {
    if (const auto* relaying = std::get_if<state::Relaying>(&exchange_.phase)) {
      const auto* response = std::get_if<state::ResponseRelayed>(&relaying->response);
      return response != nullptr && std::holds_alternative<state::NoBody>(response->body) && client_.all_sent();
    }
    if (is_tunnel()) return client_.is_over();
    return std::holds_alternative<state::Answering>(exchange_.phase) && client_.all_sent();
  }
  std::int64_t queue_ms() const {
    return record_.queued_ms + (exchange_.queued_since_ms != 0 ? now_ms_ - exchange_.queued_since_ms : 0);
  }
  std::string_view target() const;
  void append_since_start(std::int64_t then_ms, std::string& out) const;

  const state::ConnectionState& connection_;
  const state::Flow& client_;
  const state::Exchange& exchange_;
  const state::AccessRecord& record_;
  std::uint64_t generation_;
  std::int64_t now_ms_;
  std::int64_t duration_ms_;
};

// Whether its values are numbers.
bool is_number(config::Placeholder placeholder);

}  // namespace baton::access_log
