#include "config/gate_schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/template.hpp"
#include "config/text.hpp"
#include "config/written.hpp"

namespace baton::config {
namespace {

// Responses.

void read_body(Reader& reader, const Node& node, Respond& respond) {
  if (auto body = reader.lines(node)) respond.body = *std::move(body);
}

void read_respond_file(Reader& reader, const Node& node, Respond& respond) {
  if (respond.body) return reader.refuse(node, "a response has either `body` or `file`, not both");
  if (auto file = reader.file(node)) respond.file = *std::move(file);
}

bool is_visible(char c) {
  return c > ' ' && c < 0x7f;
}

void read_content_type(Reader& reader, const Node& node, Respond& respond) {
  const auto text = reader.text(node);
  if (!text) return;
  const auto is_plain = [](char c) { return is_visible(c) || c == ' '; };
  const std::size_t slash = text->find('/');
  const bool is_type = slash != 0 && slash < text->size() - 1 && std::ranges::all_of(*text, is_plain);
  if (!is_type) return reader.refuse(node, quote(*text) + " is not a media type; write one such as `text/html`");
  respond.content_type = *text;
}

constexpr Key<Respond> respond_keys[] = {
    {"status", read_count<&Respond::status, Bounds{200, 599}>},
    {"body", read_body},
    // Needs the body.
    {"file", read_respond_file},
    {"content_type", read_content_type},
};
std::string respond_of(std::string_view text) {
  const auto status = parse_count(text, Bounds{200, 599});
  return status ? fmt::format("{{ status: {} }}", *status) : "{ status: 200, body: \"ok\\n\" }";
}

constexpr Section<Respond> respond_section{"routes.respond", "in `respond`", respond_keys, respond_of};

// Redirects.

constexpr std::array<std::uint64_t, 5> redirect_statuses{301, 302, 303, 307, 308};

void read_redirect_status(Reader& reader, const Node& node, Redirect& redirect) {
  const auto text = reader.text(node);
  if (!text) return;
  const auto status = parse_count(*text, Bounds{0, 999});
  if (!status || std::ranges::find(redirect_statuses, *status) == redirect_statuses.end()) {
    return reader.refuse(node, quote(*text) + " is not a redirect; write 301, 302, 303, 307 or 308");
  }
  redirect.status = static_cast<std::uint16_t>(*status);
}

// Browsers read a backslash as a slash, and a target that begins with two as one with a host.
std::string why_no_target(std::string_view target) {
  if (target.find_first_of("{}") != std::string_view::npos) return "has a brace; write `%7B` or `%7D`";
  if (!std::ranges::all_of(target, is_visible)) return "must be ASCII without blanks; write other bytes as `%20`";
  if (target.contains('\\')) return "must not have a backslash, which browsers take for a slash";
  if (target.starts_with("//")) return fmt::format("names a host without a scheme; write `https:{}`", target);
  if (target.starts_with('/')) return {};
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (target.starts_with(scheme) && target.size() > scheme.size() && target[scheme.size()] != '/') return {};
  }
  return "must be a path that begins with `/`, or a URL such as `https://example.com/`";
}

// The target with a value for each placeholder, or why it cannot have one there: no client may choose the host, unless
// it is the one that it asked for.
Parsed<std::string> sample_of(const Template& target) {
  using enum Placeholder;
  constexpr std::array of_hosts{host, port, scheme, listener, route, upstream};
  std::string sample;
  for (const Template::Part& part : target.parts()) {
    sample += part.text;
    const std::size_t authority = sample.find("://");
    const bool is_in_path = authority == std::string::npos
                                ? sample.starts_with('/')
                                : sample.find_first_of("/?#", authority + 3) != std::string::npos;
    const bool begins_path = part.placeholder == uri || part.placeholder == path;
    if (part.placeholder == none) continue;
    if (!is_in_path && !begins_path && std::ranges::find(of_hosts, part.placeholder) == of_hosts.end()) {
      return std::unexpected(std::string("would let a client choose the host; put a `/` before that placeholder"));
    }
    sample += begins_path ? "/x" : part.placeholder == scheme ? "https" : "x";
  }
  return sample;
}

void read_to(Reader& reader, const Node& node, Redirect& redirect) {
  const auto text = reader.text(node);
  if (!text) return;
  const auto target = Template::parse(*text);
  if (!target) return reader.refuse(node, target.error());
  const auto sample = sample_of(*target);
  const std::string why = sample ? why_no_target(*sample) : sample.error();
  if (!why.empty()) return reader.refuse(node, quote(*text) + " " + why);
  redirect.to = *text;
}

constexpr Key<Redirect> redirect_keys[] = {{"to", read_to, true}, {"status", read_redirect_status}};
std::string redirect_of(std::string_view text) {
  return fmt::format("{{ to: \"{}\" }}", why_no_target(text).empty() ? text : "https://example.com/");
}

constexpr Section<Redirect> redirect_section{"routes.redirect", "in `redirect`", redirect_keys, redirect_of};

// Access.

std::vector<Network> read_networks(Reader& reader, const Node& node) {
  const auto items = reader.one_or_list(node);
  if (items.empty()) reader.refuse(node, "the list is empty; leave it out, or name a range such as `10.0.0.0/8`");
  std::vector<Network> networks;
  for (const Node& item : items) {
    const auto text = reader.text(item);
    if (!text) continue;
    Network network;
    reader.assign(network, item, parse_network(*text));
    networks.push_back(network);
  }
  return networks;
}

void read_allow(Reader& reader, const Node& node, Access& access) {
  access.allow = read_networks(reader, node);
}
void read_deny(Reader& reader, const Node& node, Access& access) {
  access.deny = read_networks(reader, node);
}

constexpr Key<Access> access_keys[] = {{"allow", read_allow}, {"deny", read_deny}};
std::string access_of(std::string_view text) {
  return fmt::format("{{ allow: [ \"{}\" ] }}", parse_network(text) ? text : "10.0.0.0/8");
}

constexpr Section<Access> access_section{"routes.access", "in `access`", access_keys, access_of};
constexpr Section<Access> listener_access_section{"listeners.access", "in `access`", access_keys, access_of};
constexpr Section<Access> tcp_route_access_section{"listeners.routes.access", "in `access`", access_keys, access_of};

void read_access(Reader& reader, const Node& node, const Section<Access>& section, Access& access) {
  if (!read_section(reader, node, section, access)) return;
  if (access == Access{}) reader.refuse(node, "expected `allow` or `deny` with address ranges");
}

// Passwords.

void read_realm(Reader& reader, const Node& node, BasicAuth& auth) {
  const auto text = reader.text(node);
  if (!text) return;
  const auto fits = [](char c) { return (is_visible(c) || c == ' ') && c != '"' && c != '\\'; };
  if (text->empty() || !std::ranges::all_of(*text, fits)) {
    return reader.refuse(node, quote(*text) + " must be ASCII without quotes and backslashes");
  }
  auth.realm = *text;
}

constexpr Key<BasicAuth> basic_auth_keys[] = {
    {"realm", read_realm},
    {"file", read_file<&BasicAuth::file>, true},
};
std::string basic_auth_of(std::string_view text) {
  return fmt::format("{{ file: {} }}", text.starts_with('/') ? text : "/etc/baton/htpasswd");
}

constexpr Section<BasicAuth> basic_auth_section{"routes.basic_auth", "in `basic_auth`", basic_auth_keys, basic_auth_of};

// Maintenance.

void read_maintenance_file(Reader& reader, const Node& node, Maintenance& maintenance) {
  if (auto file = reader.file(node)) maintenance.file = *std::move(file);
}
void read_maintenance_allow(Reader& reader, const Node& node, Maintenance& maintenance) {
  maintenance.allow = read_networks(reader, node);
}
void read_retry_after(Reader& reader, const Node& node, Maintenance& maintenance) {
  const auto text = reader.text(node);
  if (!text) return;
  reader.assign(maintenance.retry_after, node, parse_duration(*text, Bounds{0, 365ULL * 24 * 3600 * 1000}));
  if (maintenance.retry_after.count() % 1000 != 0) reader.refuse(node, quote(*text) + " is not in whole seconds");
}

constexpr Key<Maintenance> maintenance_keys[] = {
    {"file", read_maintenance_file},
    {"status", read_count<&Maintenance::status, Bounds{400, 599}>},
    {"allow", read_maintenance_allow},
    {"retry_after", read_retry_after},
};
std::string maintenance_of(std::string_view text) {
  return fmt::format("{{ file: {} }}", text.starts_with('/') ? text : "/etc/baton/maintenance.html");
}

constexpr Section<Maintenance> maintenance_section{"maintenance", "in `maintenance`", maintenance_keys, maintenance_of};

}  // namespace

void read_basic_auth(Reader& reader, const Node& node, Route& route) {
  read_section(reader, node, basic_auth_section, route.gate.basic_auth.emplace());
}

void read_maintenance(Reader& reader, const Node& node, Config& config) {
  read_section(reader, node, maintenance_section, config.maintenance);
}

void read_route_access(Reader& reader, const Node& node, Route& route) {
  read_access(reader, node, access_section, route.gate.access);
}

void read_listener_access(Reader& reader, const Node& node, Access& access) {
  read_access(reader, node, listener_access_section, access);
}

void read_tcp_route_access(Reader& reader, const Node& node, Access& access) {
  read_access(reader, node, tcp_route_access_section, access);
}

void read_respond(Reader& reader, const Node& node, Route& route) {
  Respond& respond = route.gate.respond.emplace();
  if (!read_section(reader, node, respond_section, respond)) return;
  const bool has_none = respond.status == 204 || respond.status == 205 || respond.status == 304;
  if (has_none && (respond.body || respond.file)) {
    reader.refuse(node, fmt::format("a response with status {} has no content", respond.status));
  }
}

void read_redirect(Reader& reader, const Node& node, Route& route) {
  read_section(reader, node, redirect_section, route.gate.redirect.emplace());
}

void read_error_pages(Reader& reader, const Node& node, Config& config) {
  const Node::Map* map = as_map(node);
  if (!map) return reader.refuse(node, "expected statuses with files, as in `{ 502: /etc/baton/502.html }`");
  for (const Entry& entry : *map) {
    const auto status = parse_count(entry.key, Bounds{400, 599});
    if (!status) {
      reader.report(reader.position(entry),
                    fmt::format("{} in `error_pages` is not a status from 400 to 599", quote(entry.key)));
      continue;
    }
    if (auto file = reader.file(entry.value)) {
      config.error_pages.emplace(static_cast<std::uint16_t>(*status), *std::move(file));
    }
  }
}

void add_gate_keys(std::vector<KnownKey>& known) {
  add_keys(known, access_section);
  add_keys(known, listener_access_section);
  add_keys(known, tcp_route_access_section);
  add_keys(known, basic_auth_section);
  add_keys(known, maintenance_section);
  add_keys(known, respond_section);
  add_keys(known, redirect_section);
}

std::string networks_text(const std::vector<Network>& networks) {
  std::vector<std::string> texts;
  for (const Network& network : networks) texts.push_back(network.text());
  return list_of(texts);
}

std::string access_text(const Access& access) {
  std::string text = access.allow ? "allow: " + networks_text(*access.allow) : "";
  if (!access.deny.empty()) text += (text.empty() ? "" : ", ") + ("deny: " + networks_text(access.deny));
  return "{ " + text + " }";
}

std::string basic_auth_text(const BasicAuth& basic_auth) {
  return fmt::format("{{ realm: {}, file: {} }}", in_quotes(basic_auth.realm), in_quotes(basic_auth.file.path));
}

}  // namespace baton::config
