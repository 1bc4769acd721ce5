#include "config/address.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "config/text.hpp"

namespace baton::config {
namespace {

constexpr std::string_view unix_prefix = "unix:";
constexpr std::string_view srv_prefix = "srv:";
constexpr std::size_t host_bytes_max = 253;
constexpr std::size_t label_bytes_max = 63;
constexpr std::size_t zone_bytes_max = 15;  // IFNAMSIZ without the final zero

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_host_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

bool is_port(std::string_view text) {
  return parse_count(text, {.least = 1, .most = 65535}).has_value();
}

// With an optional zone: `fe80::1%eth0`.
bool is_v6(const std::string& host) {
  const std::size_t percent = host.find('%');
  if (percent != std::string::npos) {
    const std::string_view zone = std::string_view(host).substr(percent + 1);
    const auto is_zone_character = [](char c) { return is_host_character(c) || c == '.'; };
    if (zone.empty() || zone.size() > zone_bytes_max || !std::ranges::all_of(zone, is_zone_character)) return false;
  }
  in6_addr address{};
  return inet_pton(AF_INET6, host.substr(0, percent).c_str(), &address) == 1;
}

// A DNS name or an IPv4 address; a name that ends in a number can only be the latter.
bool is_host(const std::string& host) {
  if (host.empty() || host.size() > host_bytes_max) return false;
  std::string_view label;
  for (std::size_t begin = 0; begin <= host.size(); begin += label.size() + 1) {
    label = std::string_view(host).substr(begin, host.find('.', begin) - begin);
    if (label.empty() || label.size() > label_bytes_max || !std::ranges::all_of(label, is_host_character)) return false;
    if (label.front() == '-' || label.back() == '-') return false;
  }
  return !std::ranges::all_of(label, is_digit) || is_ipv4(host);
}

Parsed<Address> parse_unix(std::string_view path) {
  auto checked = parse_socket_path(path);
  if (!checked) return std::unexpected(checked.error());
  return Address{.unix_path = *std::move(checked)};
}

Parsed<std::string> parse_host(std::string_view text, std::string_view host) {
  if (host.empty()) return std::string();
  if (host.starts_with('[') && host.ends_with(']')) {
    std::string inner(host.substr(1, host.size() - 2));
    if (is_v6(inner)) return inner;
    return std::unexpected(quote(inner) + " is not an IPv6 address");
  }
  if (host.find(':') != std::string_view::npos) {
    return std::unexpected(quote(text) + ": an IPv6 address must stand in brackets, as in [::1]:8080");
  }
  std::string result(host);
  if (!is_host(result)) return std::unexpected(quote(host) + " is neither a host name nor an IPv4 address");
  return result;
}

Parsed<std::string> socket_path(std::string_view path, std::size_t bytes_max) {
  if (!path.starts_with('/')) {
    return std::unexpected(fmt::format("the path of a Unix socket must be absolute, not {}", quote(path)));
  }
  if (path.ends_with('/')) return std::unexpected(quote(path) + " is a directory, not the path of a Unix socket");
  if (path.size() > bytes_max) {
    return std::unexpected(fmt::format("the path of a Unix socket must not be longer than {} bytes, this one has {}",
                                       bytes_max, path.size()));
  }
  return std::string(path);
}

// `_SERVICE._PROTOCOL.NAME` (RFC 2782).
Parsed<Address> parse_srv(std::string_view name) {
  const std::size_t first = name.find('.');
  const std::size_t second = first == std::string_view::npos ? first : name.find('.', first + 1);
  const bool has_labels = second != std::string_view::npos && name.front() == '_' && name[first + 1] == '_' &&
                          first > 1 && second > first + 2;
  if (!has_labels || !is_host(std::string(name)) || is_digit(name.back())) {
    return std::unexpected(
        fmt::format("{} is not the name of SRV records; write it like srv:_http._tcp.app.internal", quote(name)));
  }
  return Address{.host = {}, .port = 0, .unix_path = {}, .srv = std::string(name)};
}

// The address, or what is wrong with it.
Parsed<Address> parse_written(std::string_view text, AddressUse use) {
  if (text.starts_with(unix_prefix)) return parse_unix(text.substr(unix_prefix.size()));
  if (text.starts_with(srv_prefix)) return parse_srv(text.substr(srv_prefix.size()));
  if (text.empty()) return std::unexpected(std::string("an address is missing"));
  if (text.find("://") != std::string_view::npos) {
    return std::unexpected(quote(text) + " must be an address, not a URL");
  }
  if (text.find('/') != std::string_view::npos) return std::unexpected(quote(text) + " is not an address");
  if (is_port(text)) return std::unexpected(quote(text) + " is only a port");
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.ends_with(']')) return std::unexpected(quote(text) + " has no port");
  auto host = parse_host(text, text.substr(0, colon));
  if (!host) return std::unexpected(host.error());
  const auto port = parse_count(text.substr(colon + 1), {.least = use == AddressUse::listen ? 0u : 1u, .most = 65535});
  if (!port) return std::unexpected("the port " + port.error());
  return Address{.host = *std::move(host), .port = static_cast<std::uint16_t>(*port), .unix_path = {}};
}

// `http://host/` is the address `host:80`; a path cannot be part of one.
std::string without_scheme(std::string_view url) {
  const std::size_t scheme_bytes = url.find("://");
  std::string_view rest = url.substr(scheme_bytes + 3);
  rest = rest.substr(0, rest.find('/'));
  const bool has_port = rest.rfind(':') != std::string_view::npos && !rest.ends_with(']');
  const std::string_view scheme = url.substr(0, scheme_bytes);
  const bool is_tls = scheme == "https" || scheme == "wss";
  return std::string(rest) + (has_port ? "" : is_tls ? ":443" : ":80");
}

// What to write instead of an invalid address: the nearest valid one, or the possible forms. Never offers anything that
// would itself be refused.
std::string what_was_meant(std::string_view text, AddressUse use) {
  const bool listens = use == AddressUse::listen;
  const auto offer = [use](const std::string& meant) {
    return parse_address(meant, use) ? fmt::format("`{}`", meant) : std::string();
  };
  if (is_port(text)) {
    return listens ? fmt::format("`\":{0}\"`, or `127.0.0.1:{0}` for this machine alone", text)
                   : fmt::format("`127.0.0.1:{}` for this machine", text);
  }
  std::string meant;
  if (text.starts_with('/')) meant = offer("unix:" + std::string(text));
  if (text.find("://") != std::string_view::npos) meant = offer(without_scheme(text));
  if (text.starts_with("*:")) meant = offer((listens ? "" : "127.0.0.1") + std::string(text.substr(1)));
  const bool lacks_port = text.find(':') == std::string_view::npos || text.ends_with(']');
  if (meant.empty() && lacks_port && !text.empty()) meant = offer(std::string(text) + ":8080");
  if (!meant.empty()) return meant;
  // Otherwise the form is known and its error has been named.
  const bool is_form_unknown = lacks_port || text.find("//") != std::string_view::npos;
  if (!is_form_unknown || text.starts_with(unix_prefix) || text.starts_with(srv_prefix)) return {};
  return listens ? "host:port, [v6]:port, :port or unix:/path" : "host:port, [v6]:port or unix:/path";
}

}  // namespace

bool is_ipv4(const std::string& host) {
  in_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1;
}

bool is_ip_address(const std::string& host) {
  return is_ipv4(host) || is_v6(host);
}

Parsed<std::string> parse_host_name(std::string_view text) {
  std::string name(text);
  if (is_ipv4(name) || is_v6(name)) return std::unexpected(quote(text) + " is an IP address, not the name of a host");
  if (!is_host(name)) return std::unexpected(quote(text) + " is not a host name; write it like api.example.com");
  return name;
}

Parsed<std::string> parse_socket_path(std::string_view path) { return socket_path(path, unix_path_bytes_max); }

Parsed<std::string> parse_handoff_path(std::string_view path) {
  const std::size_t name_bytes = path.size() - (path.rfind('/') + 1);
  if (path.starts_with('/') && name_bytes > handoff_name_bytes_max) {
    return std::unexpected(fmt::format("the name of a handoff socket must not be longer than {} bytes, this one has {}",
                                       handoff_name_bytes_max, name_bytes));
  }
  return socket_path(path, handoff_path_bytes_max);
}

Parsed<Address> parse_address(std::string_view text, AddressUse use) {
  auto address = parse_written(text, use);
  if (!address) {
    const std::string meant = what_was_meant(text, use);
    return std::unexpected(address.error() + (meant.empty() ? "" : "; write " + meant));
  }
  if (use == AddressUse::listen && !address->srv.empty()) {
    return std::unexpected(quote(text) + " names servers; an address to listen on is needed");
  }
  if (use == AddressUse::connect && address->unix_path.empty() && address->srv.empty() && address->host.empty()) {
    return std::unexpected(fmt::format("{} names no host to connect to; write `127.0.0.1{}` for this machine",
                                       quote(text), text));
  }
  return address;
}

}  // namespace baton::config
