#include "proxy/worker/affinity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace baton::proxy {

using config::HashBy;
using http1::FieldName;

namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// What `balance: hash` looks at; empty: the request lacks it.
std::string_view hashed_text(const HashBy& by, const http1::RequestHead* head, std::string_view client) {
  if (by.what == HashBy::What::client) return client;
  if (head == nullptr) return {};
  switch (by.what) {
    case HashBy::What::client:
      break;
    case HashBy::What::cookie:
      return cookie_in(*head, by.name);
    case HashBy::What::uri:
      return head->target;
    case HashBy::What::path:
      return head->target.substr(0, head->target.find_first_of("?#"));
    case HashBy::What::header: {
      const auto field = std::ranges::find_if(
          head->fields, [&](const http1::Field& one) { return http1::equals_ignoring_case(one.name, by.name); });
      return field == head->fields.end() ? std::string_view() : field->value;
    }
  }
  return {};
}

// 0: it is none of ours.
std::uint64_t tag_in(std::string_view value) {
  std::uint64_t tag = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), tag, 16);
  const bool is_tag = error == std::errc() && end == value.data() + value.size() && value.size() == 16;
  return is_tag ? tag : 0;
}

}  // namespace

upstream::Affinity affinity_of(const upstream::Upstream& upstream, const http1::RequestHead* head,
                               std::string_view client) {
  upstream::Affinity affinity;
  const config::Balancing& balancing = upstream.balancing();
  if (balancing.balance == config::Balance::hash) {
    const std::string_view text = hashed_text(balancing.hash, head, client);
    if (!text.empty()) affinity.hash = std::max<std::uint64_t>(runtime::keyed_hash(upstream.key(), text), 1);
  }
  if (balancing.sticky && head != nullptr) affinity.sticky = tag_in(cookie_in(*head, balancing.sticky->cookie));
  return affinity;
}

std::string_view cookie_in(const http1::RequestHead& head, std::string_view name) {
  if (!head.names.has(FieldName::cookie)) return {};
  for (const http1::Field& field : head.fields) {
    if (field.id != FieldName::cookie) continue;
    for (std::string_view left = field.value; !left.empty();) {
      const std::size_t end = left.find(';');
      const std::string_view pair = left.substr(0, end);
      left = end == std::string_view::npos ? std::string_view() : left.substr(end + 1);
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos || trimmed(pair.substr(0, equals)) != name) continue;
      std::string_view value = trimmed(pair.substr(equals + 1));
      if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"'))
        value = value.substr(1, value.size() - 2);
      return value;
    }
  }
  return {};
}

std::string sticky_cookie(const config::Sticky& sticky, std::uint64_t tag, bool client_has_tls) {
  std::string text = fmt::format("{}={:016x}; Path=/; HttpOnly; SameSite={}", sticky.cookie, tag,
                                 sticky.same_site == config::SameSite::lax      ? "Lax"
                                 : sticky.same_site == config::SameSite::strict ? "Strict"
                                                                                : "None");
  const bool is_secure = sticky.secure == config::CookieSecure::always ||
                         (sticky.secure == config::CookieSecure::automatic && client_has_tls);
  if (is_secure) text += "; Secure";
  if (sticky.max_age.count() != 0)
    text += fmt::format("; Max-Age={}", std::max<std::int64_t>(sticky.max_age.count() / 1000, 1));
  return text;
}

}  // namespace baton::proxy
