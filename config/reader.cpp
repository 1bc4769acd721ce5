#include "config/reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/environment.hpp"
#include "config/mistakes.hpp"
#include "config/suggest.hpp"
#include "config/text.hpp"

namespace baton::config {
namespace {

std::string joined(std::span<const std::string_view> words) {
  std::string result;
  for (const std::string_view word : words) {
    if (!result.empty()) result += ", ";
    result += word;
  }
  return result;
}

std::string missing_in(std::string_view text, std::span<const std::string_view> known) {
  return missing_in_key(text, [&](std::string_view word) { return std::ranges::find(known, word) != known.end(); });
}

}  // namespace

void Reader::refuse(const Node& node, const std::string& message) {
  report(position(node), key_.empty() ? message : fmt::format("`{}`: {}", key_, message));
}

std::optional<std::string_view> Reader::refuse_unknown_key(const Entry& entry, std::string_view place,
                                                           std::span<const std::string_view> known) {
  if (std::string missing = missing_in(entry.key, known); !missing.empty()) {
    report(position(entry), std::move(missing));
    return std::nullopt;
  }
  report(position(entry), fmt::format("unknown key {} {}{} (expected: {})", quote(entry.key), place,
                                      did_you_mean(entry.key, known), joined(known)));
  return suggest(entry.key, known);
}

void Reader::refuse_unsupported_key(const Entry& entry, std::string_view place) {
  report(position(entry), fmt::format("`{}` {} is not supported by this version yet", entry.key, place));
}

void Reader::refuse_global_key(const Entry& entry, std::string_view place, std::string_view why) {
  report(position(entry),
         fmt::format("`{}` cannot stand {}: {}; set it in `{}` at the top level", entry.key, place, why, key_));
}

void Reader::refuse_unsupported_value(const Node& node, std::string_view value) {
  report(position(node), fmt::format("`{}: {}` is not supported by this version yet", key_, value));
}

void Reader::refuse_missing_key(const Node& node, std::string_view place, std::string_view key) {
  report(position(node),
         fmt::format("`{}` is missing {}{}", key, place, key == "version" ? "; write `version: 1`" : ""));
}

const Node::Map* as_map(const Node& node) {
  static const Node::Map empty;
  if (std::holds_alternative<std::monostate>(node.value)) return &empty;
  return std::get_if<Node::Map>(&node.value);
}

// A text that begins with one of the keys lacks what YAML requires between a key and its value.
void Reader::refuse_no_map(const Node& node, std::span<const std::string_view> known, const std::string& meant) {
  if (const auto* text = std::get_if<std::string>(&node.value)) {
    if (const std::string missing = missing_in(*text, known); !missing.empty()) return refuse(node, missing);
    if (!meant.empty()) return refuse(node, fmt::format("expected keys with values, as in `{}`", meant));
  } else if (const auto* list = std::get_if<Node::List>(&node.value); list && !list->empty() &&
             std::holds_alternative<Node::Map>(list->front().value)) {
    return refuse(node, "expected keys with values, not a list of them: leave out the `-`");
  }
  refuse(node, fmt::format("expected keys with values (keys: {})", joined(known)));
}

std::optional<std::span<const Node>> Reader::list(const Node& node, std::string_view example) {
  const auto* list = std::get_if<Node::List>(&node.value);
  if (list && !list->empty()) return *list;
  refuse(node, fmt::format("expected a list with at least one entry, as in {}", example));
  return std::nullopt;
}

std::span<const Node> Reader::one_or_list(const Node& node) {
  const auto* list = std::get_if<Node::List>(&node.value);
  return list ? std::span(*list) : std::span(&node, 1);
}

std::optional<std::string> Reader::text(const Node& node, bool one_line) {
  if (std::holds_alternative<std::monostate>(node.value)) {
    refuse(node, "a value is missing");
    return std::nullopt;
  }
  const auto* written = std::get_if<std::string>(&node.value);
  if (!written) {
    refuse(node, "expected one value, not a list or keys");
    return std::nullopt;
  }
  auto expanded = expand(*written, environment_);
  if (!expanded) {
    refuse(node, expanded.error());
    return std::nullopt;
  }
  if (find_unprintable(*expanded, one_line) != std::string::npos) {
    refuse(node, quote(*expanded) + (one_line ? " must be one line of UTF-8 without control characters"
                                              : " must be UTF-8 without control characters"));
    return std::nullopt;
  }
  return *std::move(expanded);
}

std::optional<std::string> Reader::text_unless_auto(const Node& node) {
  auto value = text(node);
  if (value == "auto") value.reset();
  return value;
}

std::optional<File> Reader::file_at(const Node& node, const std::optional<std::string>& path) {
  if (!path) return std::nullopt;
  if (path->starts_with('/') && !path->ends_with('/')) return File{*path, position(node)};
  refuse(node, quote(*path) + " must be the absolute path of a file");
  return std::nullopt;
}

std::optional<std::size_t> Reader::choose(const Node& node, std::span<const std::string_view> words,
                                          std::span<const std::string_view> later) {
  const auto word = text(node);
  if (!word) return std::nullopt;
  if (std::ranges::find(later, *word) != later.end()) {
    refuse_unsupported_value(node, *word);
    return std::nullopt;
  }
  const auto found = std::ranges::find(words, *word);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  refuse(node,
         fmt::format("unknown value {}{} (expected: {})", quote(*word), did_you_mean(*word, words), joined(words)));
  return std::nullopt;
}

}  // namespace baton::config
