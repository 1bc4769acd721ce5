#include "proxy/admin/metrics.hpp"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "proxy/runtime/text.hpp"

namespace baton::admin {

namespace {

// A label's value: the format has these three escapes and requires UTF-8.
std::string escaped(std::string_view value) {
  std::string out;
  for (const char byte : runtime::valid_utf8(value)) {
    switch (byte) {
      case '\\':
        out += "\\\\";
        break;
      case '"':
        out += "\\\"";
        break;
      case '\n':
        out += "\\n";
        break;
      default:
        out += byte;
    }
  }
  return out;
}

class Exposition {
 public:
  // The samples that follow belong to this family.
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += fmt::format("# HELP baton_{} {}\n# TYPE baton_{} {}\n", name, help, name, type);
  }
  template <class Number>
  void sample(Number value) {
    text_ += fmt::format("baton_{} {}\n", name_, value);
  }
  template <class Number>
  void sample(std::string_view label, std::string_view value, Number number) {
    text_ += fmt::format("baton_{}{{{}=\"{}\"}} {}\n", name_, label, escaped(value), number);
  }
  template <class Number>
  void sample(const ServerStatus& server, Number number) {
    text_ += fmt::format("baton_{}{{upstream=\"{}\",server=\"{}\"}} {}\n", name_, escaped(server.upstream),
                         escaped(server.address), number);
  }
  template <class Number>
  void sample(const CertificateStatus& certificate, Number number) {
    text_ += fmt::format("baton_{}{{listener=\"{}\",certificate=\"{}\"}} {}\n", name_, escaped(certificate.listener),
                         escaped(certificate.path), number);
  }
  // Two values may become equal when invalid bytes are replaced, and a series must not appear twice.
  void samples(std::string_view label, const std::map<std::string, std::uint64_t>& numbers) {
    std::map<std::string, std::uint64_t> sums;
    for (const auto& [value, number] : numbers) sums[runtime::valid_utf8(value)] += number;
    for (const auto& [value, number] : sums) sample(label, value, number);
  }
  template <class Number>
  void only(std::string_view name, std::string_view type, std::string_view help, Number value) {
    family(name, type, help);
    sample(value);
  }

  std::string take() { return std::move(text_); }

 private:
  std::string_view name_;
  std::string text_;
};

double seconds(std::uint64_t microseconds) {
  return static_cast<double>(microseconds) / 1e6;
}

void add_connections(Exposition& out, const Status& status) {
  const Connections& now = status.connections;
  out.family("connections", "gauge", "Client connections, by state.");
  out.sample("state", "idle", now.idle);
  out.sample("state", "head", now.head);
  out.sample("state", "exchange", now.exchange);
  out.sample("state", "tunnel", now.tunnel);
  out.sample("state", "closing", now.closing);
  out.only("connections_max", "gauge", "The limit of client connections; 0: none.", status.connections_max);
  out.only("upstream_idle_connections", "gauge", "Idle connections to servers.", now.upstream_idle);
  out.only("connections_accepted_total", "counter", "Client connections accepted, over all generations.",
           status.accepted_total);
  out.only("connections_aborted_total", "counter",
           "Client connections of this process that were reset for lack of memory.", status.aborted_total);
  out.only("requests_total", "counter", "Exchanges that have ended, over all generations.", status.requests_total);
  out.family("requests_refused_total", "counter",
             "Requests answered without a server, by reason, over all generations.");
  out.sample("reason", "rate", status.rate_refusals_total);
  out.family("connections_refused_total", "counter",
             "Client connections closed at once, by reason, over all generations.");
  out.sample("reason", "connections_per_client", status.connection_refusals_total);
  out.sample("reason", "access", status.access_refusals_total);
  out.only("request_fields_dropped_total", "counter",
           "Request fields dropped by this process for underscores in their names.", status.fields_dropped);
}

// The servers of the configuration, so the labels are as many as that has servers.
void add_servers(Exposition& out, const std::vector<ServerStatus>& servers) {
  if (servers.empty()) return;
  out.family("server_up", "gauge", "1 if the server takes requests.");
  for (const ServerStatus& server : servers) out.sample(server, server.state == "up" ? 1 : 0);
  out.family("server_connections", "gauge", "Exchanges in flight with the server.");
  for (const ServerStatus& server : servers) out.sample(server, server.in_flight);
  out.family("server_requests_total", "counter", "Requests sent to the server, over all generations.");
  for (const ServerStatus& server : servers) out.sample(server, server.requests_total);
  out.family("server_failures_total", "counter",
             "Connects that failed and requests that the server did not answer, over all generations.");
  for (const ServerStatus& server : servers) out.sample(server, server.failures_total);
}

// As many labels as the status lists certificates.
void add_certificates(Exposition& out, const std::vector<CertificateStatus>& certificates) {
  if (certificates.empty()) return;
  out.family("certificate_expiry_timestamp_seconds", "gauge", "When the certificate expires, since 1970.");
  for (const CertificateStatus& one : certificates) out.sample(one, one.until_s);
}

void add_last_upgrade(Exposition& out, const LastUpgrade& upgrade) {
  const handoff::Report& report = upgrade.report;
  const Moved moved = moved_of(report);
  out.only("last_upgrade_success", "gauge", "1 if the last upgrade completed, 0 if it was rolled back.",
           upgrade.result == "completed" ? 1 : 0);
  out.only("last_upgrade_duration_seconds", "gauge", "From its start to its end.", seconds(report.duration_us));
  out.family("last_upgrade_moved_connections", "gauge", "Client connections that the successor adopted, by state.");
  out.samples("state", moved.clients);
  out.family("last_upgrade_refused_connections", "gauge", "Client connections that the successor refused, by reason.");
  out.samples("reason", report.refused);
  out.only("last_upgrade_left_connections", "gauge",
           "Client connections that could not move and stayed with the predecessor, refused or not even offered.",
           report.left_behind);
  out.only("last_upgrade_taken_back_connections", "gauge", "Client connections offered but not adopted; they stayed.",
           report.taken_back);
  out.family("last_upgrade_pause_seconds", "gauge", "How long a moved connection stood still.");
  // Not a summary, since there is no sum; so the label is not `quantile`, which belongs to summaries.
  out.sample("statistic", "p50", seconds(report.pauses.p50_us));
  out.sample("statistic", "p99", seconds(report.pauses.p99_us));
  out.sample("statistic", "max", seconds(report.pauses.max_us));
}

}  // namespace

std::string to_metrics(const Status& status) {
  Exposition out;
  out.family("build_info", "gauge", "The version that answers.");
  out.sample("version", status.version, 1);
  out.only("start_time_seconds", "gauge", "When this process was started, since 1970.",
           static_cast<double>(status.started_at_us) / 1e6);
  out.only("generation", "gauge", "Incremented by each upgrade.", status.generation);
  out.only("ready", "gauge", "1 if /readyz answers 200.", status.ready ? 1 : 0);
  out.only("last_reload_success", "gauge", "0 if the last reload of this process failed.",
           status.last_reload_ok ? 1 : 0);
  add_connections(out, status);
  add_servers(out, status.servers);
  add_certificates(out, status.certificates);
  if (status.last_upgrade) add_last_upgrade(out, *status.last_upgrade);
  out.only("keeper", "gauge", "1 if connections go on after a crash.", status.keeper ? 1 : 0);
  out.only("crashes_total", "counter", "Crashes of workers, over all generations.", status.crashes.total);
  out.family("crash_connections_total", "counter", "Client connections at crashes: whole ones went on.");
  out.sample("state", "whole", status.crashes.whole_total);
  out.sample("state", "lost", status.crashes.lost_total);
  out.only("last_crash_stall_seconds", "gauge", "How long connections stood still at the last crash.",
           seconds(status.crashes.last.stall_us));
  return out.take();
}

}  // namespace baton::admin
