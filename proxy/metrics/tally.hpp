// What one worker counts, for itself, until it adds it to the ledger.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/metrics/histogram.hpp"
#include "proxy/metrics/ledger.hpp"
#include "proxy/state/ending.hpp"

namespace baton::metrics {

// A series that exists from its first count on. Until there is memory for it, and room in the ledger, it is asked for
// again now and then.
class LateSeries {
 public:
  // `name` makes its name. Empty: not yet.
  template <class Name>
  const Series& get(Name name, std::size_t numbers) noexcept {
    if (series_ || waits_++ % settles_between_tries != 0) return series_;
    try {
      series_ = ledger().series(name(), numbers);
    } catch (const std::bad_alloc&) {
    }
    return series_;
  }

 private:
  static constexpr std::uint8_t settles_between_tries = 128;

  Series series_;
  std::uint8_t waits_ = 0;
};

// One number.
class Counter {
 public:
  void add(std::uint64_t number = 1) { here_ += number; }
  // Adds it to its series, as soon as there is one.
  template <class Name>
  void settle(Name name) noexcept {
    if (here_ == 0) return;
    if (const Series& series = series_.get(name, 1)) series.add(std::exchange(here_, 0));
  }

 private:
  std::uint64_t here_ = 0;
  LateSeries series_;
};

// How long something takes.
class Durations {
 public:
  void add(std::int64_t elapsed_ms) {
    const std::uint64_t value = elapsed_ms < 0 ? 0 : static_cast<std::uint64_t>(elapsed_ms);
    ++here_[bucket_of(duration_bounds_ms, value)];
    here_.back() += value;
    is_counted_ = true;
  }
  template <class Name>
  void settle(Name name) noexcept {
    if (!is_counted_) return;
    const Series& series = series_.get(name, duration_numbers);
    if (!series) return;
    for (std::size_t i = 0; i < here_.size(); ++i) {
      if (here_[i] != 0) series.add(std::exchange(here_[i], 0), i);
    }
    is_counted_ = false;
  }

 private:
  std::array<std::uint64_t, duration_numbers> here_{};
  bool is_counted_ = false;
  LateSeries series_;
};

// What an exchange, or its client's connection, is carried by.
enum class Protocol : std::uint8_t { http1, http2, tcp };
inline constexpr std::array<std::string_view, 3> protocol_words{"http/1", "http/2", "tcp"};
enum class TlsVersion : std::uint8_t { none, v1_2, v1_3 };
inline constexpr std::array<std::string_view, 3> tls_words{"none", "1.2", "1.3"};

inline TlsVersion tls_version(bool has_tls, std::uint16_t wire_version) {
  return !has_tls ? TlsVersion::none : wire_version == 0x0304 ? TlsVersion::v1_3 : TlsVersion::v1_2;
}

using ByEnding = std::array<Counter, state::ending_words.size()>;

// Why a client's handshake, or its TLS afterwards, failed.
enum class TlsFailure : std::uint8_t {
  closed,    // the client has gone
  slow,      // timeouts.handshake
  alert,     // the client said that it does not like ours
  refused,   // nothing that both speak, or a certificate of the client that is not valid
  protocol,  // what came is not TLS, or breaks it
};
inline constexpr std::array<std::string_view, 5> tls_failure_words{"closed", "slow", "alert", "refused", "protocol"};

// HTTP/2's errors (RFC 9113 §7), by their codes.
inline constexpr std::array<std::string_view, 14> http2_error_words{"no_error",
                                                                    "protocol_error",
                                                                    "internal_error",
                                                                    "flow_control_error",
                                                                    "settings_timeout",
                                                                    "stream_closed",
                                                                    "frame_size_error",
                                                                    "refused_stream",
                                                                    "cancel",
                                                                    "compression_error",
                                                                    "connect_error",
                                                                    "enhance_your_calm",
                                                                    "inadequate_security",
                                                                    "http_1_1_required"};

// Of the connections of one listener.
struct ListenerCounts {
  Counter accepted;
  Counter received, sent;                                           // bytes, without TLS's own
  Counter too_many, no_access, bad_arrival;                         // closed at once
  std::array<std::array<Counter, 2>, tls_words.size()> handshakes;  // by version; resumed or not
  std::array<Counter, tls_failure_words.size()> tls_failures;
  Counter streams;                                              // of HTTP/2
  std::array<Counter, http2_error_words.size()> http2_errors;   // connections that are ended for them
  std::array<Counter, http2_error_words.size()> stream_resets;  // streams that we reset
  Counter resets_by_client;
  ByEnding resets;   // by us
  ByEnding tunnels;  // of tcp listeners

  // The stream was reset with this code, which may be one that a server has sent.
  void note_stream_reset(std::uint32_t code, std::uint64_t number = 1) {
    constexpr std::size_t unknown = 2;  // internal_error, as RFC 9113 §7 has it
    stream_resets[code < stream_resets.size() ? code : unknown].add(number);
  }
};

// 1xx to 5xx, and first those without a status.
inline constexpr std::size_t code_classes = 6;

class Tally {
 public:
  struct Exchange {
    std::size_t listener, route;  // as in `begin`; whatever is larger is none of them
    Protocol protocol;
    TlsVersion tls;
    unsigned status;  // 0: none
    state::Ending ending;
    std::int64_t duration_ms;
    std::uint64_t bytes_in, bytes_out;
    bool is_tunnel;  // it has become one, and lasts as long as people like
  };

  // These listeners and routes, in this order, are counted from now on. What was counted of others must be settled. If
  // it throws, nothing has changed.
  void begin(std::vector<std::string> listeners, std::vector<std::string> routes);
  // Not counted if there is no memory.
  void count(const Exchange& exchange) noexcept {
    const std::size_t index = std::min(exchange.route, routes_.size());
    RouteCounts* counts = counts_[index].get();
    const bool is_ready = counts != nullptr && counts->is_counted && counts->by_transport[counts->last].is_of(exchange);
    if (!is_ready) counts = prepare(index, exchange);
    if (counts == nullptr) return;
    const std::size_t code_class = exchange.status / 100;
    counts->by_transport[counts->last].by_class[code_class < code_classes ? code_class : 0].add();
    counts->by_ending[static_cast<std::size_t>(exchange.ending)].add();
    if (!exchange.is_tunnel) counts->duration.add(exchange.duration_ms);
    counts->bytes_in.add(exchange.bytes_in);
    counts->bytes_out.add(exchange.bytes_out);
  }
  ListenerCounts& listener(std::size_t index) { return *listeners_[index < names_.size() ? index : names_.size()]; }
  // Adds everything to the ledger, as far as there is memory and room for it.
  void settle() noexcept;

 private:
  struct ByTransport {
    std::size_t listener;
    Protocol protocol;
    TlsVersion tls;
    std::array<Counter, code_classes> by_class;

    bool is_of(const Exchange& exchange) const {
      return listener == exchange.listener && protocol == exchange.protocol && tls == exchange.tls;
    }
  };
  struct RouteCounts {
    std::vector<ByTransport> by_transport;
    std::size_t last = 0;  // the one that was counted last
    ByEnding by_ending;
    Durations duration;
    Counter bytes_in, bytes_out;
    bool is_counted = false;
  };
  // The route's counts, with `last` as the exchange has it. nullptr: there is no memory.
  RouteCounts* prepare(std::size_t index, const Exchange& exchange) noexcept;
  void settle(RouteCounts& counts, std::string_view name) noexcept;
  void settle_listener(ListenerCounts& counts, std::string_view name) noexcept;

  std::vector<std::string> names_;                          // of the listeners
  std::vector<std::string> routes_;                         // their names
  std::vector<std::unique_ptr<ListenerCounts>> listeners_;  // the last one: of those that are gone
  std::vector<std::unique_ptr<RouteCounts>> counts_;        // by route; the last one: without a route
  std::vector<std::size_t> counted_;                        // routes that have been counted
};

}  // namespace baton::metrics
