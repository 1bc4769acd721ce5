#include "proxy/http1/identity.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "proxy/http1/grammar.hpp"
#include "proxy/http1/meaning.hpp"

namespace baton::http1 {

using state::Family;
using state::SocketAddress;

namespace {

// What one proxy reports about the sender of the request.
struct Hop {
  std::string_view node;
  std::string_view scheme;
  std::string_view host;
};

// What one kind of field says.
struct Account {
  std::vector<SocketAddress> chain;
  std::string_view scheme;
  std::string_view host;
};

std::string_view scheme_of(std::string_view text) {
  if (is_token<"https">(text) || is_token<"wss">(text)) return "https";
  return is_token<"http">(text) || is_token<"ws">(text) ? "http" : "";
}

std::string_view host_of(std::string_view text) {
  return is_host_and_port(text) ? text : std::string_view();
}

bool is_named(const Field& field, std::string_view name) {
  return field.id == FieldName::client_identity && equals_ignoring_case(field.name, name);
}

// ── X-Forwarded-* ─────────────────────────────────────────────────────────────────────────────────────────────────

// The elements of all fields with that name, as one list.
std::vector<std::string_view> list_of(const RequestHead& head, std::string_view name) {
  std::vector<std::string_view> elements;
  for (const Field& field : head.fields) {
    if (!is_named(field, name)) continue;
    std::string_view list = field.value;
    while (!list.empty()) {
      const std::size_t comma = std::min(list.find(','), list.size());
      std::string_view element = list.substr(0, comma);
      list.remove_prefix(std::min(comma + 1, list.size()));
      while (!element.empty() && is_blank(element.front())) element.remove_prefix(1);
      while (!element.empty() && is_blank(element.back())) element.remove_suffix(1);
      if (!element.empty()) elements.push_back(element);
    }
  }
  return elements;
}

// A proxy that adds to such a list adds one element, so that of the client's request stands as far from the right as
// the client. A proxy may also leave the list as it is; then the client's is the first.
std::string_view at_client(const std::vector<std::string_view>& list, std::size_t from_right) {
  return list.empty() ? std::string_view() : list[list.size() - 1 - std::min(from_right, list.size() - 1)];
}

// ── Forwarded ─────────────────────────────────────────────────────────────────────────────────────────────────────

void skip_blanks(std::string_view& text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
}

std::string_view take(std::string_view& text, std::size_t bytes) {
  const std::string_view taken = text.substr(0, bytes);
  text.remove_prefix(bytes);
  return taken;
}

// A token, or what comes between two quotes. Some proxies write addresses and ports without quotes. A quoted value with
// a backslash is no address, scheme or host, and counts as one that means nothing.
bool take_value(std::string_view& text, std::string_view& value) {
  if (!text.starts_with('"')) {
    value = take(text, std::min(text.find_first_of(",; \t\""), text.size()));
    return !value.empty();
  }
  std::size_t end = 1;
  bool is_escaped = false;
  while (end < text.size() && text[end] != '"') {
    is_escaped = is_escaped || text[end] == '\\';
    end += text[end] == '\\' ? 2 : 1;
  }
  if (end >= text.size()) return false;
  value = is_escaped ? std::string_view("\\") : text.substr(1, end - 1);
  text.remove_prefix(end + 1);
  return true;
}

// One element: pairs with semicolons between them. False: malformed.
bool take_hop(std::string_view& text, Hop& hop) {
  unsigned seen = 0;
  for (;;) {
    skip_blanks(text);
    if (text.empty() || text.front() == ',') return true;
    if (text.front() == ';') {
      text.remove_prefix(1);
      continue;
    }
    const auto* const name_end = std::ranges::find_if_not(text, is_token_char);
    const std::string_view name = take(text, static_cast<std::size_t>(name_end - text.begin()));
    if (name.empty() || !text.starts_with('=')) return false;
    text.remove_prefix(1);
    std::string_view value;
    if (!take_value(text, value)) return false;
    const unsigned which = equals_ignoring_case(name, "for")     ? 1
                           : equals_ignoring_case(name, "proto") ? 2
                           : equals_ignoring_case(name, "host")  ? 4
                                                                 : 0;
    if ((seen & which) != 0) return false;
    seen |= which;
    if (which == 1) hop.node = value;
    if (which == 2) hop.scheme = scheme_of(value);
    if (which == 4) hop.host = host_of(value);
    skip_blanks(text);
    if (!text.empty() && text.front() != ';' && text.front() != ',') return false;
  }
}

// False: a field is malformed.
bool hops_of_forwarded(const RequestHead& head, std::vector<Hop>& hops) {
  for (const Field& field : head.fields) {
    if (!is_named(field, "Forwarded")) continue;
    std::string_view text = field.value;
    while (!text.empty()) {
      const std::string_view before = text;
      Hop hop;
      if (!take_hop(text, hop)) return false;
      const bool is_empty =
          before.substr(0, before.size() - text.size()).find_first_not_of(" \t;") == std::string_view::npos;
      if (!is_empty) hops.push_back(hop);
      if (!text.empty()) text.remove_prefix(1);
    }
  }
  return true;
}

// ── The chain ─────────────────────────────────────────────────────────────────────────────────────────────────────

// From the peer back to the first address that is not trusted. `node(i)` is the i-th from the right of `count`.
template <class Node>
std::vector<SocketAddress> chain_of(const SocketAddress& peer, const routing::TrustedProxies& trusted,
                                    std::size_t count, Node node) {
  std::vector<SocketAddress> chain{peer};
  for (std::size_t i = 0; i < count; ++i) {
    chain.push_back(parse_node(node(i)));
    if (!trusted.trusts(chain.back())) break;
  }
  std::ranges::reverse(chain);
  return chain;
}

// How many proxies after the client have spoken: the client is the element so far from the right.
std::size_t client_from_right(const std::vector<SocketAddress>& chain) {
  return chain.size() < 2 ? 0 : chain.size() - 2;
}

Account account_of_x_forwarded(const RequestHead& head, const SocketAddress& peer,
                               const routing::TrustedProxies& trusted) {
  const auto nodes = list_of(head, "X-Forwarded-For");
  Account account{
      .chain = chain_of(peer, trusted, nodes.size(), [&](std::size_t i) { return nodes[nodes.size() - 1 - i]; }),
      .scheme = {},
      .host = {}};
  const std::size_t from_right = client_from_right(account.chain);
  account.scheme = scheme_of(at_client(list_of(head, "X-Forwarded-Proto"), from_right));
  account.host = host_of(at_client(list_of(head, "X-Forwarded-Host"), from_right));
  return account;
}

Account account_of_forwarded(const std::vector<Hop>& hops, const SocketAddress& peer,
                             const routing::TrustedProxies& trusted) {
  Account account{
      .chain = chain_of(peer, trusted, hops.size(), [&](std::size_t i) { return hops[hops.size() - 1 - i].node; }),
      .scheme = {},
      .host = {}};
  const Hop& hop = hops[hops.size() - 1 - client_from_right(account.chain)];
  account.scheme = hop.scheme;
  account.host = hop.host;
  return account;
}

bool is_same_client(const SocketAddress& a, const SocketAddress& b) {
  return (a.family == Family::none) == (b.family == Family::none) &&
         routing::AddressSet::ip_bytes(a) == routing::AddressSet::ip_bytes(b);
}

bool contradict(std::string_view a, std::string_view b) {
  return !a.empty() && !b.empty() && !equals_ignoring_case(a, b);
}

bool has(const RequestHead& head, std::string_view name) {
  return std::ranges::any_of(head.fields, [&](const Field& field) { return is_named(field, name); });
}

void take_over(Account account, Identity& identity) {
  identity.chain = std::move(account.chain);
  // The peer of a Unix socket has no address to be passed on.
  if (identity.chain.size() > 1 && identity.chain.back().family == Family::unix_path) identity.chain.pop_back();
  identity.scheme = account.scheme;
  identity.host = account.host;
}

bool parse_port(std::string_view text, std::uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse_ip(std::string_view text, SocketAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return false;
  std::ranges::copy(text, terminated.begin());
  const bool is_v6 = text.find(':') != std::string_view::npos;
  address.family = is_v6 ? Family::ipv6 : Family::ipv4;
  return ::inet_pton(is_v6 ? AF_INET6 : AF_INET, terminated.data(), address.ip.data()) == 1;
}

}  // namespace

SocketAddress parse_node(std::string_view text) {
  SocketAddress address;
  std::string_view ip = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return {};
    ip = text.substr(1, end - 1);
    if (ip.find(':') == std::string_view::npos) return {};
    port = text.substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) return {};
    if (!port.empty()) port.remove_prefix(1);
  } else if (const std::size_t colon = text.find(':');
             colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos) {
    ip = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  // An obfuscated port (RFC 7239 §6.3) says nothing.
  const bool has_port = !port.empty() && port.front() != '_';
  if (!parse_ip(ip, address) || (has_port && !parse_port(port, address.port))) return {};
  return address;
}

void identify(const RequestHead& head, const SocketAddress& peer, const routing::TrustedProxies& trusted,
              Identity& identity) {
  identity = {};
  Account by_list = account_of_x_forwarded(head, peer, trusted);
  std::vector<Hop> hops;
  if (!hops_of_forwarded(head, hops)) {
    identity.error = {400, "trusted_proxies: a malformed Forwarded"};
    return;
  }
  if (hops.empty()) return take_over(std::move(by_list), identity);
  Account by_hops = account_of_forwarded(hops, peer, trusted);
  const bool differ = has(head, "X-Forwarded-For") && !is_same_client(by_list.chain.front(), by_hops.chain.front());
  if (differ || contradict(by_list.scheme, by_hops.scheme) || contradict(by_list.host, by_hops.host)) {
    identity.error = {400, "trusted_proxies: X-Forwarded-* and Forwarded contradict each other"};
    return;
  }
  if (by_hops.scheme.empty()) by_hops.scheme = by_list.scheme;
  if (by_hops.host.empty()) by_hops.host = by_list.host;
  take_over(std::move(by_hops), identity);
}

void write_x_forwarded_for(const std::vector<SocketAddress>& chain, std::string& out) {
  out.clear();
  for (const SocketAddress& address : chain) {
    if (!out.empty()) out += ", ";
    out += address.node_text();
  }
}

void write_forwarded(const std::vector<SocketAddress>& chain, std::string_view host, bool https, std::string& out) {
  out.clear();
  for (const SocketAddress& address : chain) {
    if (!out.empty()) out += ", ";
    const std::string text = address.node_text();
    const bool is_v6 = text.find(':') != std::string::npos;
    out += is_v6 ? "for=\"[" + text + "]\"" : "for=" + text;
    if (&address != &chain.front()) continue;
    if (!host.empty()) {
      out += ";host=\"";
      out += host;
      out += '"';
    }
    out += https ? ";proto=https" : ";proto=http";
  }
}

}  // namespace baton::http1
