#include "config/health_schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "config/names.hpp"
#include "config/text.hpp"
#include "config/written.hpp"

namespace baton::config {
namespace {

constexpr Bounds interval{.least = 100, .most = 24ULL * 3600 * 1000};
constexpr Bounds in_a_row{.least = 1, .most = 100};
constexpr std::size_t text_bytes_max = 1024;

constexpr Name<ProbeType> probe_types[] = {
    {"http", ProbeType::http}, {"tcp", ProbeType::tcp}, {"grpc", ProbeType::grpc}};

std::optional<StatusRange> parse_status(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto number = [](std::string_view digits) { return parse_count(digits, {.least = 100, .most = 599}); };
  const auto first = number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
  if (!first || !last || *first > *last) return std::nullopt;
  return StatusRange{static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)};
}

template <class Target>
void read_status(Reader& reader, const Node& node, Target& target) {
  target.status.clear();
  const auto items = reader.one_or_list(node);
  if (items.empty()) reader.refuse(node, "the list is empty");
  for (const Node& item : items) {
    const auto text = reader.text(item);
    if (!text) continue;
    if (const auto range = parse_status(*text)) {
      target.status.push_back(*range);
    } else {
      reader.refuse(item, fmt::format("{} is not a status; write one like 204, or a range like 200-399", quote(*text)));
    }
  }
}

// What goes into a request must not end a line or a field.
bool is_plain(std::string_view text) {
  return text.size() <= text_bytes_max && std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

void read_type(Reader& reader, const Node& node, ActiveHealth& active) {
  if (const auto type = reader.choice(node, probe_types)) active.type = *type;
}

void check_has_request(Reader& reader, const Node& node, const ActiveHealth& active) {
  if (active.type == ProbeType::tcp)
    reader.refuse(node, "means nothing to a probe of `type: tcp`, which only connects");
}

void check_is_http(Reader& reader, const Node& node, const ActiveHealth& active) {
  check_has_request(reader, node, active);
  if (active.type == ProbeType::grpc) {
    reader.refuse(node, "means nothing to a probe of `type: grpc`, which calls grpc.health.v1.Health/Check");
  }
}

void read_path(Reader& reader, const Node& node, ActiveHealth& active) {
  check_is_http(reader, node, active);
  const auto text = reader.text(node);
  if (!text) return;
  if (!text->starts_with('/') || !is_plain(*text)) {
    reader.refuse(node,
                  fmt::format("{} is not a path; write one like /healthz, percent-encoded where needed", quote(*text)));
    return;
  }
  active.path = *text;
}

void read_host(Reader& reader, const Node& node, ActiveHealth& active) {
  check_has_request(reader, node, active);
  const auto text = reader.text(node);
  if (!text) return;
  if (text->empty() || !is_plain(*text) || text->find_first_of("/?#@\\\"") != std::string::npos) {
    reader.refuse(node,
                  fmt::format("{} is not a host; write one like app.internal, with a port if need be", quote(*text)));
    return;
  }
  active.host = *text;
}

void read_service(Reader& reader, const Node& node, ActiveHealth& active) {
  if (active.type != ProbeType::grpc) reader.refuse(node, "is for `type: grpc`");
  const auto text = reader.text(node);
  if (!text) return;
  if (!is_plain(*text)) {
    reader.refuse(node, fmt::format("{} is not the name of a service; write one like shop.Orders", quote(*text)));
    return;
  }
  active.service = *text;
}

void read_active_status(Reader& reader, const Node& node, ActiveHealth& active) {
  check_is_http(reader, node, active);
  read_status(reader, node, active);
}

constexpr Key<ActiveHealth> active_keys[] = {
    {"type", read_type},
    // Need the type.
    {"path", read_path},
    {"host", read_host},
    {"status", read_active_status},
    {"service", read_service},
    {"every", read_duration<&ActiveHealth::every, interval>},
    {"timeout", read_duration<&ActiveHealth::timeout, interval>},
    {"up", read_count<&ActiveHealth::up, in_a_row>},
    {"down", read_count<&ActiveHealth::down, in_a_row>},
    {"port", read_count<&ActiveHealth::port, Bounds{1, 65'535, true}>},
};
std::string active_of(std::string_view text) {
  return fmt::format("{{ path: {} }}", text.starts_with('/') && is_plain(text) ? text : "/healthz");
}
constexpr Section<ActiveHealth> active_section{"upstreams.health.active", "in `active`", active_keys, active_of};

void read_at_most(Reader& reader, const Node& node, PassiveHealth& passive) {
  const auto text = reader.text(node);
  if (!text) return;
  const auto number = parse_count(text->ends_with('%') ? std::string_view(*text).substr(0, text->size() - 1) : "",
                                  {.least = 1, .most = 100});
  if (!number) {
    reader.refuse(node, fmt::format("{} is not a share from 1% to 100%; write it like 50%", quote(*text)));
    return;
  }
  passive.at_most_percent = static_cast<unsigned>(*number);
}

constexpr Key<PassiveHealth> passive_keys[] = {
    {"failures", read_count<&PassiveHealth::failures, Bounds{.least = 1, .most = 1'000}>},
    {"within", read_duration<&PassiveHealth::within, interval>},
    {"eject", read_duration<&PassiveHealth::eject, interval>},
    {"at_most", read_at_most},
    {"status", read_status<PassiveHealth>},
};
constexpr Section<PassiveHealth> passive_section{"upstreams.health.passive", "in `passive`", passive_keys};

void read_active(Reader& reader, const Node& node, Health& health) {
  read_section(reader, node, active_section, health.active.emplace());
}

void read_passive(Reader& reader, const Node& node, Health& health) {
  read_section(reader, node, passive_section, health.passive.emplace());
}

constexpr Key<Health> health_keys[] = {{"active", read_active}, {"passive", read_passive}};
constexpr Section<Health> health_section{"upstreams.health", "in `health`", health_keys};

std::string status_text(const std::vector<StatusRange>& ranges) {
  std::string text;
  for (const StatusRange& range : ranges) {
    text += text.empty() ? "" : ", ";
    text += range.first == range.last ? fmt::format("{}", range.first) : fmt::format("{}-{}", range.first, range.last);
  }
  return "[" + text + "]";
}

}  // namespace

void read_health(Reader& reader, const Node& node, Upstream& upstream) {
  Health health;
  const bool is_sound = read_section(reader, node, health_section, health);
  if (is_sound && !health.active && !health.passive) {
    reader.refuse(node, "says nothing; write `active: { path: /healthz }`, `passive: {}`, or both");
  }
  upstream.health = std::move(health);
}

void add_health_keys(std::vector<KnownKey>& known) {
  add_keys(known, health_section);
  add_keys(known, active_section);
  add_keys(known, passive_section);
}

std::vector<std::string> health_lines(const Health& health) {
  std::vector<std::string> lines;
  if (const auto& active = health.active) {
    std::string request;
    if (active->type == ProbeType::http) {
      request = fmt::format("path: {}, status: {}, ", in_quotes(active->path), status_text(active->status));
    }
    if (!active->host.empty()) request += "host: " + in_quotes(active->host) + ", ";
    if (!active->service.empty()) request += "service: " + in_quotes(active->service) + ", ";
    lines.push_back(fmt::format("active: {{ type: {}, {}every: {}, timeout: {}, up: {}, down: {}, port: {} }}",
                                name_of(active->type, probe_types), request, duration_text(active->every),
                                duration_text(active->timeout), active->up, active->down, active->port));
  }
  if (const auto& passive = health.passive) {
    const std::string status = passive->status.empty() ? "" : ", status: " + status_text(passive->status);
    lines.push_back(fmt::format("passive: {{ failures: {}, within: {}, eject: {}, at_most: {}%{} }}", passive->failures,
                                duration_text(passive->within), duration_text(passive->eject), passive->at_most_percent,
                                status));
  }
  return lines;
}

}  // namespace baton::config
