// A match as one word. It is unique: in names and values, what could be taken for the text around them is encoded.
#include <fmt/format.h>

#include <algorithm>

#include "config/config.hpp"

namespace baton::config {
namespace {

std::string encoded(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain =
        byte > 0x20 && byte != 0x7f && std::string_view("%&=,#~*!\"").find(c) == std::string_view::npos;
    result += is_plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return result;
}

void append(std::string& to, std::string_view separator, const std::string& text) {
  if (!to.empty()) to += separator;
  to += text;
}

std::string text_of(std::string_view kind, const ValueCondition& condition) {
  using Asks = ValueCondition::Asks;
  return fmt::format("{}.{}={}", kind, encoded(condition.name),
                     condition.asks == Asks::present  ? "*"
                     : condition.asks == Asks::absent ? "!"
                                                      : encoded(condition.value));
}

std::string place_text(const Match& match) {
  std::string result;
  for (const std::string& host : match.hosts) append(result, ",", host);
  if (!match.path_regex.empty()) return result + "~" + encoded(match.path_regex);
  if (!match.path_prefix.empty()) return result + (match.path_prefix == "/" ? "" : match.path_prefix) + "/*";
  return match.hosts.empty() && match.path.empty() ? "*" : result + match.path;
}

}  // namespace

std::string Match::text() const {
  std::string conditions;
  std::string list;
  for (const std::string& method : methods) append(list, ",", encoded(method));
  if (!list.empty()) append(conditions, "&", "method=" + list);
  for (const ValueCondition& header : headers) append(conditions, "&", text_of("header", header));
  for (const ValueCondition& query : queries) append(conditions, "&", text_of("query", query));
  list.clear();
  for (const Network& client : clients) append(list, ",", client.text());
  if (!list.empty()) append(conditions, "&", "client=" + list);
  return conditions.empty() ? place_text(*this) : place_text(*this) + "#" + conditions;
}

std::string Route::action_text() const {
  if (gate.redirect) return fmt::format("redirect {} {}", gate.redirect->status, gate.redirect->to);
  if (gate.respond) return fmt::format("respond {}", gate.respond->status);
  if (split.empty()) return "upstream " + upstream;
  std::string shares;
  for (const Share& share : split) append(shares, ", ", fmt::format("{} to {}", share.weight, share.upstream));
  return "split " + shares;
}

}  // namespace baton::config
