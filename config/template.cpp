#include "config/template.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

#include "config/suggest.hpp"
#include "config/text.hpp"

namespace baton::config {

namespace {

struct Named {
  std::string_view name;
  Placeholder placeholder;
};

using enum Placeholder;
constexpr std::array named{
    Named{"client", client},
    Named{"scheme", scheme},
    Named{"host", host},
    Named{"port", port},
    Named{"method", method},
    Named{"uri", uri},
    Named{"path", path},
    Named{"query", query},
    Named{"request_id", request_id},
    Named{"route", route},
    Named{"listener", listener},
    Named{"upstream", upstream},
    Named{"server", server},
    Named{"tls.version", tls_version},
    Named{"tls.subject", tls_subject},
    Named{"time", time},
    Named{"time_local", time_local},
    Named{"request", request},
    Named{"status", status},
    Named{"bytes_in", bytes_in},
    Named{"bytes_out", bytes_out},
    Named{"duration_ms", duration_ms},
    Named{"queue_ms", queue_ms},
    Named{"connect_ms", connect_ms},
    Named{"first_byte_ms", first_byte_ms},
    Named{"retries", retries},
    Named{"generation", generation},
    Named{"protocol", protocol},
    Named{"user", user},
    Named{"ended", ended},
};
constexpr auto first_of_access_log = std::ranges::find(named, time, &Named::placeholder);

// Those that may stand in such a text.
std::span<const Named> named_for(TextFor use) {
  return {named.begin(), use == TextFor::access_log ? named.end() : first_of_access_log};
}

constexpr std::string_view of_field = "header.";

std::string unknown(std::string_view name, TextFor use) {
  std::vector<std::string_view> names;
  std::ranges::transform(named_for(use), std::back_inserter(names), &Named::name);
  if (std::ranges::find(named, name, &Named::name) != named.end()) {
    return fmt::format("`{{{}}}` is known only when the request has ended: for `log.access.format` alone", name);
  }
  if (const auto meant = suggest(name, names)) {
    return fmt::format("there is no placeholder `{{{}}}`; did you mean `{{{}}}`?", name, *meant);
  }
  return fmt::format("there is no placeholder `{{{}}}`; for a brace write `{{{{`", name);
}

std::expected<Template::Part, std::string> parse_placeholder(std::string_view name, TextFor use) {
  if (name.starts_with(of_field)) {
    const std::string_view field = name.substr(of_field.size());
    if (is_token(field)) return Template::Part{.placeholder = header, .field = lowercase(field)};
    return std::unexpected(fmt::format("`{{{}}}` must name a field, as in `{{header.User-Agent}}`", name));
  }
  const auto known = named_for(use);
  const auto found = std::ranges::find(known, name, &Named::name);
  if (found == known.end()) return std::unexpected(unknown(name, use));
  return Template::Part{.placeholder = found->placeholder};
}

}  // namespace

std::string Template::name_of(const Part& part) {
  if (part.placeholder == none) return "";
  if (part.placeholder == header) return fmt::format("{{{}{}}}", of_field, part.field);
  return fmt::format("{{{}}}", std::ranges::find(named, part.placeholder, &Named::placeholder)->name);
}

std::expected<Template, std::string> Template::parse(std::string_view text, TextFor use) {
  Template result;
  std::string before;
  while (!text.empty()) {
    const std::size_t brace = std::min(text.find('{'), text.size());
    before += text.substr(0, brace);
    text.remove_prefix(brace);
    if (text.starts_with("{{")) {
      before += '{';
      text.remove_prefix(2);
    } else if (!text.empty()) {
      const std::size_t end = text.find('}');
      if (end == std::string_view::npos) {
        return std::unexpected(quote(text) + ": the placeholder has no `}`; for a brace write `{{`");
      }
      auto part = parse_placeholder(text.substr(1, end - 1), use);
      if (!part) return std::unexpected(part.error());
      part->text = std::exchange(before, {});
      result.parts_.push_back(*std::move(part));
      text.remove_prefix(end + 1);
    }
  }
  if (!before.empty()) result.parts_.push_back({.text = std::move(before)});
  return result;
}

bool Template::has(Placeholder placeholder) const {
  return std::ranges::find(parts_, placeholder, &Part::placeholder) != parts_.end();
}

bool Template::is_literal() const {
  return parts_.empty() || (parts_.size() == 1 && parts_.front().placeholder == none);
}

std::string Template::text() const {
  std::string text;
  for (const Part& part : parts_) {
    for (const char c : part.text) text.append(c == '{' ? 2 : 1, c);
    text += name_of(part);
  }
  return text;
}

}  // namespace baton::config
