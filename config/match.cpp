#include "config/match.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "config/address.hpp"
#include "config/matched_path.hpp"
#include "config/text.hpp"

namespace baton::config {
namespace {

constexpr std::string_view below = "*.";

// In brackets, in the canonical form (RFC 5952).
std::optional<std::string> v6_text(const std::string& host) {
  in6_addr address{};
  if (inet_pton(AF_INET6, host.c_str(), &address) != 1) return std::nullopt;
  char text[INET6_ADDRSTRLEN];
  inet_ntop(AF_INET6, &address, text, sizeof text);
  return fmt::format("[{}]", text);
}

Parsed<std::string> parse_bracketed(std::string_view text, std::string_view inner) {
  if (auto address = v6_text(std::string(inner))) return *std::move(address);
  return std::unexpected(quote(text) + " is not an IPv6 address");
}

// A host without `*`, or what is wrong with it.
Parsed<std::string> parse_one_host(std::string_view text) {
  std::string host = lowercase(text);
  if (host.ends_with('.')) host.pop_back();
  if (is_ipv4(host)) return host;
  const bool is_ascii = std::ranges::all_of(host, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!is_ascii) return std::unexpected(quote(text) + " must be in ASCII, as in DNS: `xn--...`");
  return parse_host_name(host);
}

Parsed<std::string> parse_written_host(std::string_view text) {
  if (text.empty()) return std::unexpected("a host is missing");
  if (text == "*") return std::unexpected("`*` means every host; leave out `host` instead");
  if (text.find('/') != std::string_view::npos) return std::unexpected(quote(text) + " must be a host, not a URL");
  if (text.starts_with('[') && text.ends_with(']')) return parse_bracketed(text, text.substr(1, text.size() - 2));
  if (auto address = v6_text(std::string(text))) return *std::move(address);
  if (text.find(':') != std::string_view::npos) {
    return std::unexpected(quote(text) + " must not have a port; a route matches a host on every port");
  }
  const bool is_wildcard = text.starts_with(below);
  const std::string_view rest = text.substr(is_wildcard ? below.size() : 0);
  if (rest.find('*') != std::string_view::npos) {
    return std::unexpected(quote(text) + ": `*` must be the whole first label, as in `*.example.com`");
  }
  auto host = parse_one_host(rest);
  if (!host || !is_wildcard) return host;
  if (is_ipv4(*host)) return std::unexpected(quote(rest) + " is an IP address, which has no hosts below it");
  return fmt::format("{}{}", below, *host);
}

// The host that was meant when something precedes or follows it.
std::string without_rest(std::string_view text) {
  if (const auto scheme = text.find("://"); scheme != std::string_view::npos) text.remove_prefix(scheme + 3);
  text = text.substr(0, text.find('/'));
  const bool has_port = text.rfind(':') != std::string_view::npos && !text.ends_with(']');
  return std::string(has_port ? text.substr(0, text.rfind(':')) : text);
}

// A path without a query, in the form that requests are matched with.
std::string as_matched(std::string_view text) {
  std::string path(text.substr(0, text.find_first_of("?#")));
  if (!path.starts_with('/')) path.insert(path.begin(), '/');
  std::string matched(MatchedPath(path).text());
  if (matched.ends_with("/*")) matched.resize(std::max<std::size_t>(matched.size() - 2, 1));
  return matched;
}

Parsed<std::string> parse_written_path(std::string_view text) {
  if (text.empty()) return std::unexpected("a path is missing");
  if (text.size() > route_path_bytes_max) {
    return std::unexpected(
        fmt::format("a path must not be longer than {} bytes, this one has {}", route_path_bytes_max, text.size()));
  }
  if (!text.starts_with('/')) return std::unexpected(quote(text) + " must begin with `/`");
  if (text.find('?') != std::string_view::npos) return std::unexpected(quote(text) + " must not have a query");
  if (text.find('#') != std::string_view::npos) return std::unexpected(quote(text) + " must not have a fragment");
  if (text.find('*') != std::string_view::npos) {
    return std::unexpected(quote(text) +
                           ": `*` is not a wildcard in a path; `path_prefix` matches everything below one");
  }
  const std::string matched(MatchedPath(text).text());
  if (matched == text) return matched;
  return std::unexpected(quote(text) +
                         " would never match: percent-encoding is removed from paths, "
                         "and `//`, `.` and `..` are resolved");
}

// An error with what to write instead, if known. Never offers anything that would itself be refused.
std::unexpected<std::string> with_offer(const std::string& error, const std::string& meant,
                                        Parsed<std::string> (*parse)(std::string_view)) {
  return std::unexpected(parse(meant) ? fmt::format("{}; write {}", error, quote(meant)) : error);
}

}  // namespace

Parsed<std::string> parse_match_host(std::string_view text) {
  auto host = parse_written_host(text);
  if (host) return host;
  return with_offer(host.error(), without_rest(text), parse_written_host);
}

Parsed<std::string> parse_match_path(std::string_view text) {
  auto path = parse_written_path(text);
  if (path) return path;
  if (text.ends_with("/*")) {
    const std::string prefix = as_matched(text);
    return std::unexpected(fmt::format("{}; write `path_prefix: {}`", path.error(), prefix));
  }
  return with_offer(path.error(), as_matched(text), parse_written_path);
}

Parsed<std::string> parse_match_prefix(std::string_view text) {
  auto path = parse_written_path(text);
  if (!path) return with_offer(path.error(), as_matched(text), parse_written_path);
  if (path->size() > 1 && path->ends_with('/')) path->pop_back();
  return path;
}

}  // namespace baton::config
