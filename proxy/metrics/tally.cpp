#include "proxy/metrics/tally.hpp"

#include <algorithm>
#include <exception>

namespace baton::metrics {

namespace {

constexpr std::array<std::string_view, code_classes> class_words{"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

std::string_view name_of(const std::vector<std::string>& names, std::size_t index) {
  return index < names.size() ? std::string_view(names[index]) : std::string_view();
}

}  // namespace

void Tally::begin(std::vector<std::string> listeners, std::vector<std::string> routes) {
  std::vector<std::unique_ptr<ListenerCounts>> made(listeners.size() + 1);
  for (auto& one : made) one = std::make_unique<ListenerCounts>();
  std::vector<std::unique_ptr<RouteCounts>> counts(routes.size() + 1);
  std::vector<std::size_t> counted;
  counted.reserve(counts.size());
  names_ = std::move(listeners);
  routes_ = std::move(routes);
  listeners_ = std::move(made);
  counts_ = std::move(counts);
  counted_ = std::move(counted);
}

Tally::RouteCounts* Tally::prepare(std::size_t index, const Exchange& exchange) noexcept {
  try {
    std::unique_ptr<RouteCounts>& counts = counts_[index];
    if (!counts) counts = std::make_unique<RouteCounts>();
    std::vector<ByTransport>& all = counts->by_transport;
    const auto same = std::ranges::find_if(all, [&](const ByTransport& one) { return one.is_of(exchange); });
    const auto at = static_cast<std::size_t>(same - all.begin());
    if (same == all.end()) all.push_back({exchange.listener, exchange.protocol, exchange.tls, {}});
    if (!counts->is_counted) counted_.push_back(index);  // for which there is room
    counts->is_counted = true;
    counts->last = at;
    return counts.get();
  } catch (const std::exception&) {
    return nullptr;
  }
}

void Tally::settle(RouteCounts& counts, std::string_view name) noexcept {
  for (ByTransport& one : counts.by_transport) {
    for (std::size_t i = 0; i < one.by_class.size(); ++i) {
      one.by_class[i].settle([&] {
        return series_name("requests_total", {{"listener", name_of(names_, one.listener)},
                                              {"route", name},
                                              {"protocol", protocol_words[static_cast<std::size_t>(one.protocol)]},
                                              {"tls", tls_words[static_cast<std::size_t>(one.tls)]},
                                              {"code", class_words[i]}});
      });
    }
  }
  for (std::size_t i = 0; i < counts.by_ending.size(); ++i) {
    counts.by_ending[i].settle(
        [&] { return series_name("requests_ended_total", {{"route", name}, {"ended", state::ending_words[i]}}); });
  }
  const auto of_route = [&](std::string_view family) {
    return [&name, family] { return series_name(family, {{"route", name}}); };
  };
  counts.duration.settle(of_route("request_duration_seconds"));
  counts.bytes_in.settle(of_route("request_body_bytes_total"));
  counts.bytes_out.settle(of_route("response_body_bytes_total"));
}

void Tally::settle_listener(ListenerCounts& counts, std::string_view name) noexcept {
  const auto settle = [&](Counter& counter, std::string_view family) {
    counter.settle([&] { return series_name(family, {{"listener", name}}); });
  };
  const auto settle_all = [&](auto& counters, std::string_view family, std::string_view label, const auto& words) {
    for (std::size_t i = 0; i < counters.size(); ++i) {
      counters[i].settle([&] { return series_name(family, {{"listener", name}, {label, words[i]}}); });
    }
  };
  const auto settle_refused = [&](Counter& counter, std::string_view reason) {
    counter.settle([&] { return series_name("connections_refused_total", {{"listener", name}, {"reason", reason}}); });
  };
  settle(counts.accepted, "connections_accepted_total");
  settle(counts.received, "received_bytes_total");
  settle(counts.sent, "sent_bytes_total");
  settle_refused(counts.too_many, "connections_per_client");
  settle_refused(counts.no_access, "access");
  settle_refused(counts.bad_arrival, "arrival");
  for (std::size_t version = 0; version < counts.handshakes.size(); ++version) {
    for (const bool is_resumed : {false, true}) {
      counts.handshakes[version][is_resumed ? 1 : 0].settle([&] {
        return series_name(
            "tls_handshakes_total",
            {{"listener", name}, {"version", tls_words[version]}, {"resumed", is_resumed ? "true" : "false"}});
      });
    }
  }
  settle_all(counts.tls_failures, "tls_failures_total", "reason", tls_failure_words);
  settle(counts.streams, "http2_streams_total");
  settle_all(counts.http2_errors, "http2_connection_errors_total", "error", http2_error_words);
  settle_all(counts.stream_resets, "http2_stream_resets_total", "error", http2_error_words);
  counts.resets_by_client.settle([&] {
    return series_name("connection_resets_total", {{"listener", name}, {"by", "client"}, {"cause", "client_gone"}});
  });
  for (std::size_t i = 0; i < counts.resets.size(); ++i) {
    counts.resets[i].settle([&] {
      return series_name("connection_resets_total",
                         {{"listener", name}, {"by", "baton"}, {"cause", state::ending_words[i]}});
    });
  }
  settle_all(counts.tunnels, "tunnels_ended_total", "ended", state::ending_words);
}

void Tally::settle() noexcept {
  for (std::size_t i = 0; i < listeners_.size(); ++i) settle_listener(*listeners_[i], name_of(names_, i));
  // One that has no series yet is counted on, and settled when it is counted again.
  for (const std::size_t index : counted_) {
    settle(*counts_[index], name_of(routes_, index));
    counts_[index]->is_counted = false;
  }
  counted_.clear();
}

}  // namespace baton::metrics
