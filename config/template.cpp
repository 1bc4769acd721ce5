#include "config/template.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

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
};
constexpr std::string_view of_field = "header.";

std::string unknown(std::string_view name) {
  std::array<std::string_view, named.size()> names;
  std::ranges::transform(named, names.begin(), &Named::name);
  if (const auto meant = suggest(name, names)) {
    return fmt::format("there is no placeholder `{{{}}}`; did you mean `{{{}}}`?", name, *meant);
  }
  return fmt::format("there is no placeholder `{{{}}}`; for a brace write `{{{{`", name);
}

std::expected<Template::Part, std::string> parse_placeholder(std::string_view name) {
  if (name.starts_with(of_field)) {
    const std::string_view field = name.substr(of_field.size());
    if (is_token(field)) return Template::Part{.placeholder = header, .field = lowercase(field)};
    return std::unexpected(fmt::format("`{{{}}}` must name a field, as in `{{header.User-Agent}}`", name));
  }
  const auto found = std::ranges::find(named, name, &Named::name);
  if (found == named.end()) return std::unexpected(unknown(name));
  return Template::Part{.placeholder = found->placeholder};
}

std::string written(const Template::Part& part) {
  if (part.placeholder == none) return "";
  if (part.placeholder == header) return fmt::format("{{{}{}}}", of_field, part.field);
  return fmt::format("{{{}}}", std::ranges::find(named, part.placeholder, &Named::placeholder)->name);
}

}  // namespace

std::expected<Template, std::string> Template::parse(std::string_view text) {
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
      auto part = parse_placeholder(text.substr(1, end - 1));
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
    text += written(part);
  }
  return text;
}

}  // namespace baton::config
