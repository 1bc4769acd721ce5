#include "proxy/admin/page.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>
#include <initializer_list>

#include "proxy/admin/page/html.hpp"
#include "proxy/runtime/text.hpp"

namespace baton::admin {

namespace {

constexpr std::string_view marker = "<!--status-->";
constexpr std::string_view root = "<html lang=\"en\">";

std::string html_of(std::string_view text) {
  std::string out;
  for (const char c : runtime::valid_utf8(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// `cells` are text, not HTML.
void add_row(std::string& html, const char* kind, std::initializer_list<std::string> cells) {
  html += "<tr>";
  for (const std::string& cell : cells) html += fmt::format("<{0}>{1}</{0}>", kind, html_of(cell));
  html += "</tr>\n";
}

class Table {
 public:
  Table(std::string& html, const char* id, const char* caption, std::initializer_list<std::string> heads)
      : html_(html) {
    html_ += fmt::format("<table id=\"{}\">\n<caption>{}</caption>\n<thead>", id, caption);
    add_row(html_, "th", heads);
    html_ += "</thead>\n<tbody>\n";
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  ~Table() { html_ += "</tbody>\n</table>\n"; }

  void add(std::initializer_list<std::string> cells) { add_row(html_, "td", cells); }

 private:
  std::string& html_;
};

void add_process(std::string& html, const Status& status) {
  Table table(html, "process", "What serves", {"", ""});
  table.add({"State", name_of(status.state)});
  table.add({"Maintenance", status.maintenance ? "on" : "off"});
  table.add({"Version", status.version});
  table.add({"Generation", std::to_string(status.generation)});
  table.add({"PID", std::to_string(status.pid)});
  table.add({"Started", runtime::utc_text(status.started_at_us / 1'000'000)});
  table.add({"Requests", std::to_string(status.requests_total)});
  table.add({"Crashes", std::to_string(status.crashes.total)});
  for (const Listening& one : status.listening) table.add({"Listener " + one.listener, one.address});
}

void add_connections(std::string& html, const Connections& connections) {
  Table table(html, "connections", "Connections of clients", {"state", "number"});
  table.add({"idle", std::to_string(connections.idle)});
  table.add({"head", std::to_string(connections.head)});
  table.add({"exchange", std::to_string(connections.exchange)});
  table.add({"tunnel", std::to_string(connections.tunnel)});
  table.add({"closing", std::to_string(connections.closing)});
  table.add({"total", std::to_string(connections.total())});
}

void add_servers(std::string& html, const std::vector<ServerStatus>& servers) {
  Table table(html, "servers", "Servers",
              {"upstream", "address", "state", "why", "in flight", "requests", "failures", "p50 ms", "p99 ms"});
  for (const ServerStatus& server : servers) {
    table.add({server.upstream, server.address, server.state, server.why, std::to_string(server.in_flight),
               std::to_string(server.requests_total), std::to_string(server.failures_total),
               std::to_string(server.p50_ms), std::to_string(server.p99_ms)});
  }
}

void add_routes(std::string& html, const std::vector<RouteStatus>& routes) {
  Table table(html, "routes", "Routes", {"name", "match", "action", "requests", "failures"});
  for (const RouteStatus& route : routes) {
    table.add({route.name, route.match, route.action, std::to_string(route.requests_total),
               std::to_string(route.failures_total)});
  }
}

void add_upgrades(std::string& html, const std::vector<LastUpgrade>& upgrades) {
  Table table(html, "upgrades", "Upgrades",
              {"begun", "result", "from", "to", "ms", "moved", "longest pause, us", "reason"});
  for (const LastUpgrade& upgrade : upgrades) {
    const handoff::Report& report = upgrade.report;
    table.add({runtime::utc_text(upgrade.at_ms / 1000), upgrade.result, report.from.version, report.to.version,
               std::to_string((report.duration_us + 500) / 1000), std::to_string(moved_of(report).clients_total),
               std::to_string(report.pauses.max_us), upgrade.reason});
  }
}

std::string base64_of_sha256(std::string_view bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  ::SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  std::array<unsigned char, 4 * ((SHA256_DIGEST_LENGTH + 2) / 3) + 1> text;
  const int length = ::EVP_EncodeBlock(text.data(), digest.data(), digest.size());
  return {reinterpret_cast<const char*>(text.data()), static_cast<std::size_t>(length)};
}

}  // namespace

std::string status_tables(const Status& status) {
  std::string html;
  add_process(html, status);
  add_connections(html, status.connections);
  add_servers(html, status.servers);
  add_routes(html, status.routes);
  add_upgrades(html, status.upgrades);
  return html;
}

std::string page(const Status& status, bool takes_commands) {
  std::string html(page_html());
  if (const std::size_t at = html.find(root); takes_commands && at != std::string::npos) {
    html.insert(at + root.size() - 1, " data-commands");
  }
  if (const std::size_t at = html.find(marker); at != std::string::npos) {
    html.replace(at, marker.size(), status_tables(status));
  }
  return html;
}

// Styles may be attributes, too, which have no hash.
std::string content_security_policy(std::string_view html) {
  std::string scripts;
  constexpr std::string_view begin = "<script>";
  constexpr std::string_view end = "</script>";
  for (std::size_t at = 0; (at = html.find(begin, at)) != std::string_view::npos;) {
    at += begin.size();
    const std::size_t until = html.find(end, at);
    if (until == std::string_view::npos) break;
    scripts += fmt::format(" 'sha256-{}'", base64_of_sha256(html.substr(at, until - at)));
    at = until;
  }
  return fmt::format(
      "default-src 'none'; script-src{}; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      scripts.empty() ? " 'none'" : scripts);
}

const std::vector<std::pair<std::string, std::string>>& page_fields() {
  static const std::vector<std::pair<std::string, std::string>> fields{
      {"Content-Security-Policy", content_security_policy(page_html())},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"}};
  return fields;
}

}  // namespace baton::admin
