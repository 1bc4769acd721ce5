#include "proxy/metrics/families.hpp"

#include <array>

#include "proxy/metrics/histogram.hpp"

namespace baton::metrics {

namespace {

constexpr double millisecond = 1e-3;
constexpr double microsecond = 1e-6;

constexpr std::array<std::string_view, 1> no_labels{""};
constexpr std::array<std::string_view, 2> outcomes{R"({result="succeeded"})", R"({result="failed"})"};
constexpr std::array<std::string_view, 3> results{R"({result="completed"})", R"({result="rolled_back"})",
                                                  R"({result="failed"})"};

constexpr Family families[] = {
    {"requests_total", Type::counter, "Exchanges that have ended, by the class of their status."},
    {"requests_ended_total", Type::counter, "Exchanges that have ended, by why: the word `ended` of the access log."},
    {"request_duration_seconds", Type::histogram, "From a request's first byte to the end of its exchange. No tunnels.",
     duration_bounds_ms, millisecond},
    {"request_body_bytes_total", Type::counter, "Content of requests, counted when their exchanges end."},
    {"response_body_bytes_total", Type::counter, "Content of responses, counted when their exchanges end."},
    {"connections_accepted_total", Type::counter, "Client connections accepted."},
    {"connections_refused_total", Type::counter, "Client connections closed at once, by reason."},
    {"connections_aborted_total",
     Type::counter,
     "Client connections that were reset for lack of memory.",
     {},
     1,
     no_labels},
    {"connection_resets_total", Type::counter, "Client connections that were reset, by which side and why."},
    {"received_bytes_total", Type::counter, "Bytes received from clients, as they come; without those of TLS."},
    {"sent_bytes_total", Type::counter, "Bytes sent to clients, as they go; without those of TLS."},
    {"tunnels_ended_total", Type::counter, "Connections to tcp listeners that have ended, by why."},
    {"tls_handshakes_total", Type::counter, "Handshakes with clients that succeeded."},
    {"tls_failures_total", Type::counter, "Connections of clients that failed for TLS, most of them in the handshake."},
    {"http2_streams_total", Type::counter, "Streams that clients of HTTP/2 have opened."},
    {"http2_connection_errors_total", Type::counter,
     "Clients' connections of HTTP/2 that were ended by an error; enhance_your_calm: a flood."},
    {"http2_stream_resets_total", Type::counter, "Clients' streams of HTTP/2 that were reset, by the code sent."},
    {"request_fields_dropped_total",
     Type::counter,
     "Request fields dropped for underscores in their names.",
     {},
     1,
     no_labels},
    {"upstream_connect_duration_seconds", Type::histogram,
     "How long a connection to a server took, with its handshake.", duration_bounds_ms, millisecond},
    {"upstream_first_byte_duration_seconds", Type::histogram, "From a request's last byte sent to the response's head.",
     duration_bounds_ms, millisecond},
    {"upstream_queue_duration_seconds", Type::histogram, "How long requests waited for a server that is not full.",
     duration_bounds_ms, millisecond},
    {"upstream_connect_failures_total", Type::counter, "Connections to servers that failed, by reason."},
    {"upstream_resets_total", Type::counter, "Exchanges whose server ended or reset the connection too early."},
    {"upstream_retries_total", Type::counter, "Attempts after the first one."},
    {"server_requests_total", Type::counter, "Requests sent to the server."},
    {"server_failures_total", Type::counter, "Connects that failed and requests that the server did not answer."},
    {"server_ejections_total", Type::counter, "How often the server was ejected (health.passive)."},
    {"server_health_checks_total", Type::counter, "Health checks of the server, by result."},
    {"reloads_total", Type::counter, "Reloads, and configurations applied by command, by result.", {}, 1, outcomes},
    {"upgrades_total", Type::counter, "Upgrades that have ended, by result.", {}, 1, results},
    {"upgrade_failures_total", Type::counter, "Upgrades that did not complete, by the step that failed."},
    {"canaries_total", Type::counter, "Canaries, by their last verdict and by what decided."},
    {"canary_exchanges_total", Type::counter, "Exchanges while there was a canary, of its clients and of the others."},
    {"canary_failed_clients_total", Type::counter, "Clients with a failure meanwhile, each counted once for a canary."},
    {"handover_connections_total", Type::counter, "Client connections that a successor adopted, by state."},
    {"handover_refused_connections_total", Type::counter, "Client connections that a successor refused, by reason."},
    {"handover_taken_back_connections_total",
     Type::counter,
     "Client connections offered but not adopted; they stayed.",
     {},
     1,
     no_labels},
    {"handover_pause_seconds", Type::histogram, "How long connections stood still while they moved.", pause_bounds_us,
     microsecond, no_labels},
};

}  // namespace

std::span<const Family> ledger_families() {
  return families;
}

void begin_series(Ledger& ledger) {
  for (const Family& family : families) {
    const std::size_t numbers = family.bounds.empty() ? 1 : family.bounds.size() + 2;
    for (const std::string_view labels : family.first_labels) {
      (void)ledger.series(std::string(family.name).append(labels), numbers);
    }
  }
}

std::string_view label_of(std::string_view series, std::string_view label) {
  for (std::size_t at = series.find('{'); at < series.size();) {
    const std::size_t begin = at + 1;
    const std::size_t sign = series.find("=\"", begin);
    if (sign == std::string_view::npos) break;
    std::size_t end = sign + 2;
    while (end < series.size() && series[end] != '"') end += series[end] == '\\' ? 2 : 1;
    if (end >= series.size()) break;
    if (series.substr(begin, sign - begin) == label) return series.substr(sign + 2, end - sign - 2);
    at = end + 1;
  }
  return {};
}

std::uint64_t Totals::value(std::string_view name) const {
  const auto found = series_.find(name);
  return found == series_.end() ? 0 : found->second.front();
}

std::uint64_t Totals::sum(std::string_view family) const {
  std::uint64_t sum = 0;
  each(family, [&](std::string_view, const Ledger::Numbers& numbers) { sum += numbers.front(); });
  return sum;
}

std::uint64_t Totals::sum(std::string_view family, std::string_view label, std::string_view value) const {
  std::uint64_t sum = 0;
  const std::string escaped = label_value(value);
  each(family, [&](std::string_view labels, const Ledger::Numbers& numbers) {
    if (label_of(labels, label) == escaped) sum += numbers.front();
  });
  return sum;
}

std::map<std::string, Requests, std::less<>> requests_by_route(const Totals& totals) {
  std::map<std::string, Requests, std::less<>> routes;
  totals.each("requests_total", [&](std::string_view labels, const Ledger::Numbers& numbers) {
    Requests& requests = routes[std::string(label_of(labels, "route"))];
    requests.all += numbers.front();
    if (label_of(labels, "code") == "5xx") requests.failed += numbers.front();
  });
  return routes;
}

}  // namespace baton::metrics
