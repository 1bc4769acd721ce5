#include "config/rewrite_schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/match.hpp"
#include "config/matched_path.hpp"
#include "config/path_regex.hpp"
#include "config/text.hpp"
#include "config/written.hpp"

namespace baton::config {

namespace {

// ── Fields ────────────────────────────────────────────────────────────────────────────────────────────────────────

// Those that frame a message or belong to one hop. Baton writes them itself.
constexpr std::array<std::string_view, 10> of_one_hop{
    "connection", "content-length",    "expect", "http2-settings", "keep-alive", "proxy-connection", "te",
    "trailer",    "transfer-encoding", "upgrade"};

enum class Direction { request, response };

std::optional<std::string> why_not(std::string_view name, Direction direction) {
  if (!is_token(name)) return quote(name) + " is not a field name";
  std::string lower = lowercase(name);
  std::ranges::replace(lower, '_', '-');  // many applications take one for the other
  if (std::ranges::find(of_one_hop, lower) != of_one_hop.end()) {
    return quote(name) + " frames the message or belongs to one connection; Baton writes it itself";
  }
  if (direction == Direction::request && lower == "host") return std::string("`Host` is set by the route's key `host`");
  return std::nullopt;
}

bool is_same_name(std::string_view a, std::string_view b) {
  return lowercase(a) == lowercase(b);
}

// Reads fields with their values; one field may have several values only where `repeated`.
void read_fields(Reader& reader, const Node& node, std::vector<FieldEdits::Field>& fields, Direction direction,
                 bool repeated) {
  const Node::Map* map = as_map(node);
  if (map == nullptr) return reader.refuse(node, "expected fields, as in `{ X-Name: value }`");
  for (const Entry& entry : *map) {
    Node at;
    at.line = entry.line;
    at.column = entry.column;
    at.file = entry.value.file;
    if (const auto why = why_not(entry.key, direction)) {
      reader.refuse(at, *why);
      continue;
    }
    const auto is_it = [&](const FieldEdits::Field& field) { return is_same_name(field.name, entry.key); };
    if (std::ranges::any_of(fields, is_it)) {
      reader.refuse(at, quote(entry.key) + " appears twice");
      continue;
    }
    const auto values = repeated ? reader.one_or_list(entry.value) : std::span(&entry.value, 1);
    for (const Node& value : values) {
      if (auto text = read_template(reader, value)) fields.push_back({entry.key, *std::move(text)});
    }
  }
}

template <Direction direction>
void read_set(Reader& reader, const Node& node, FieldEdits& edits) {
  read_fields(reader, node, edits.set, direction, false);
}

template <Direction direction>
void read_add(Reader& reader, const Node& node, FieldEdits& edits) {
  read_fields(reader, node, edits.add, direction, true);
}

template <Direction direction>
void read_remove(Reader& reader, const Node& node, FieldEdits& edits) {
  for (const Node& item : reader.one_or_list(node)) {
    const auto name = reader.text(item);
    if (!name) continue;
    const auto is_it = [&](const FieldEdits::Field& field) { return is_same_name(field.name, *name); };
    if (const auto why = why_not(*name, direction)) {
      reader.refuse(item, *why);
    } else if (std::ranges::any_of(edits.set, is_it)) {
      reader.refuse(item, quote(*name) + " is in `set`, which already removes what came");
    } else {
      edits.remove.push_back(*name);
    }
  }
}

template <Direction direction>
constexpr Key<FieldEdits> edit_keys[] = {
    {"set", read_set<direction>},
    {"add", read_add<direction>},
    // Needs `set`.
    {"remove", read_remove<direction>},
};
constexpr Section<FieldEdits> request_section{"routes.request_headers", "in `request_headers`",
                                              edit_keys<Direction::request>};
constexpr Section<FieldEdits> response_section{"routes.response_headers", "in `response_headers`",
                                               edit_keys<Direction::response>};

// ── The path ──────────────────────────────────────────────────────────────────────────────────────────────────────

// A path without a trailing slash, to be put in front of another.
template <std::string PathRewrite::* member>
void read_prefix(Reader& reader, const Node& node, PathRewrite& rewrite) {
  if (const auto text = reader.text(node)) reader.assign(rewrite.*member, node, parse_match_prefix(*text));
}

// Whether every path that it makes has a segment `.` or `..`.
bool has_dots(const Template& path) {
  for (const Template::Part& part : path.parts()) {
    const std::size_t end = part.text.find('?');
    const bool is_last =
        end != std::string::npos || part.placeholder == Placeholder::none || part.placeholder == Placeholder::uri;
    const bool ends_segment = is_last || part.placeholder == Placeholder::path;
    if (has_dots_between_slashes(part.text.substr(0, end) + (ends_segment ? "/" : ""))) return true;
    if (is_last) break;
  }
  return false;
}

void read_replace(Reader& reader, const Node& node, PathRewrite& rewrite) {
  auto text = read_template(reader, node);
  if (!text) return;
  const bool is_path =
      !text->empty() && (text->literal().starts_with('/') ||
                         (text->literal().empty() && (text->parts().front().placeholder == Placeholder::path ||
                                                      text->parts().front().placeholder == Placeholder::uri)));
  if (!is_path) return reader.refuse(node, "expected a path, which begins with a slash");
  if (has_dots(*text)) {
    return reader.refuse(node, quote(text->text()) + " has a segment `.` or `..`, so all requests would get 400");
  }
  rewrite.replace = std::move(text);
}

void read_pattern_match(Reader& reader, const Node& node, PathRewrite::Pattern& pattern) {
  const auto text = reader.text(node);
  if (!text) return;
  if (const auto regex = PathRegex::parse(*text); !regex) return reader.refuse(node, regex.error());
  pattern.match = *text;
}

// Dollars of groups (`$1`, `${1}`, `$$`), which are none of variables; the name of one does not begin with a digit.
Node with_groups(Node node) {
  auto* const text = std::get_if<std::string>(&node.value);
  if (text == nullptr) return node;
  std::string escaped;
  for (std::string_view rest = *text; !rest.empty(); rest.remove_prefix(1)) {
    const bool is_dollar = rest.starts_with("$$");
    const bool is_group = rest.starts_with("${") && rest.size() > 2 && rest[2] >= '0' && rest[2] <= '9';
    if (is_dollar) rest.remove_prefix(1);
    escaped += is_dollar ? "$$$$" : is_group ? "$$" : rest.substr(0, 1);
  }
  *text = std::move(escaped);
  return node;
}

void read_pattern_replace(Reader& reader, const Node& node, PathRewrite::Pattern& pattern) {
  const auto text = reader.text(with_groups(node));
  if (!text) return;
  const auto regex = PathRegex::parse(pattern.match);
  if (!regex) return;  // has been reported
  const auto replacement = PathReplacement::parse(*text, regex->groups());
  if (!replacement) return reader.refuse(node, fmt::format("{} {}", quote(*text), replacement.error()));
  pattern.replace = *text;
}

constexpr Key<PathRewrite::Pattern> pattern_keys[] = {
    {"match", read_pattern_match, true},
    // Needs the match.
    {"replace", read_pattern_replace, true},
};
constexpr Section<PathRewrite::Pattern> pattern_section{"routes.path.regex", "in `regex`", pattern_keys};

void read_regex(Reader& reader, const Node& node, PathRewrite& rewrite) {
  read_section(reader, node, pattern_section, rewrite.regex.emplace());
}

constexpr Key<PathRewrite> path_keys[] = {
    {"strip_prefix", read_prefix<&PathRewrite::strip_prefix>},
    {"add_prefix", read_prefix<&PathRewrite::add_prefix>},
    {"replace", read_replace},
    {"regex", read_regex},
};
std::string path_of(std::string_view text) {
  return fmt::format("{{ replace: {} }}", text.starts_with('/') ? text : "/new");
}
constexpr Section<PathRewrite> path_section{"routes.path", "in `path`", path_keys, path_of};

// ── The host
// ──────────────────────────────────────────────────────────────────────────────────────────────────────────

// A client influences none of the values but its host, which has been checked.
bool may_be_in_host(const Template::Part& part) {
  using enum Placeholder;
  constexpr std::array allowed{none, host, port, scheme, listener, route, upstream};
  return std::ranges::find(allowed, part.placeholder) != allowed.end() &&
         part.text.find_first_of(" /@?#,") == std::string::npos;
}

std::string written(const std::vector<FieldEdits::Field>& fields) {
  // Values of one field stand together.
  std::string text;
  for (auto field = fields.begin(); field != fields.end();) {
    const auto end = std::find_if(field, fields.end(), [&](const auto& other) { return other.name != field->name; });
    std::vector<std::string> values;
    for (auto one = field; one != end; ++one) values.push_back(one->value.text());
    text += fmt::format("{}{}: {}", text.empty() ? " " : ", ", in_quotes(field->name),
                        values.size() == 1 ? in_quotes(values.front()) : list_of(values));
    field = end;
  }
  return "{" + text + " }";
}

// A mapping in one line.
class Flow {
 public:
  void add(std::string_view key, const std::string& value) {
    text_ += fmt::format("{} {}: {}", text_.empty() ? "" : ",", key, value);
  }
  std::string take() { return "{" + text_ + " }"; }

 private:
  std::string text_;
};

}  // namespace

std::optional<Template> read_template(Reader& reader, const Node& node) {
  const auto text = reader.text(node);
  if (!text) return std::nullopt;
  auto parsed = Template::parse(*text);
  if (parsed) return *std::move(parsed);
  reader.refuse(node, parsed.error());
  return std::nullopt;
}

void read_path_rewrite(Reader& reader, const Node& node, Route& route) {
  PathRewrite rewrite;
  if (!read_section(reader, node, path_section, rewrite)) return;
  const bool has_prefix = !rewrite.strip_prefix.empty() || !rewrite.add_prefix.empty();
  if (!has_prefix && !rewrite.replace && !rewrite.regex) {
    return reader.refuse(node, "expected what to do with the path, as in `{ strip_prefix: /v1 }`");
  }
  if (has_prefix + (rewrite.replace ? 1 : 0) + (rewrite.regex ? 1 : 0) > 1) {
    return reader.refuse(node, "expected either `strip_prefix` and `add_prefix`, or `replace`, or `regex`");
  }
  route.path = std::move(rewrite);
}

void read_host_rewrite(Reader& reader, const Node& node, Route& route) {
  auto text = read_template(reader, node);
  if (!text) return;
  const bool is_literal = text->is_literal();
  if (is_literal && text->literal() == "preserve") {
    route.host = {};
  } else if (is_literal && text->literal() == "upstream") {
    route.host.to = HostRewrite::To::upstream;
  } else if (text->empty() || !std::ranges::all_of(text->parts(), may_be_in_host)) {
    reader.refuse(
        node,
        "expected `preserve`, `upstream`, or a host such as `app.internal`; placeholders in it may be {host}, "
        "{port}, {scheme}, {listener}, {route} and {upstream}");
  } else {
    route.host = {HostRewrite::To::literal, *std::move(text)};
  }
}

void read_request_headers(Reader& reader, const Node& node, Route& route) {
  read_section(reader, node, request_section, route.request_headers);
}

void read_response_headers(Reader& reader, const Node& node, Route& route) {
  read_section(reader, node, response_section, route.response_headers);
}

void add_rewrite_keys(std::vector<KnownKey>& known) {
  add_keys(known, request_section);
  add_keys(known, response_section);
  add_keys(known, path_section);
  add_keys(known, pattern_section);
}

std::string written(const PathRewrite& rewrite) {
  Flow flow;
  if (!rewrite.strip_prefix.empty()) flow.add("strip_prefix", in_quotes(rewrite.strip_prefix));
  if (!rewrite.add_prefix.empty()) flow.add("add_prefix", in_quotes(rewrite.add_prefix));
  if (rewrite.replace) flow.add("replace", in_quotes(rewrite.replace->text()));
  if (rewrite.regex) {
    // What reads it escapes the dollars.
    flow.add("regex", fmt::format("{{ match: {}, replace: {} }}", in_quotes(rewrite.regex->match),
                                  key_in_quotes(rewrite.regex->replace)));
  }
  return flow.take();
}

std::string written(const HostRewrite& rewrite) {
  switch (rewrite.to) {
    case HostRewrite::To::preserve:
      return "preserve";
    case HostRewrite::To::upstream:
      return "upstream";
    case HostRewrite::To::literal:
      break;
  }
  return in_quotes(rewrite.literal.text());
}

std::string written(const FieldEdits& edits) {
  Flow flow;
  if (!edits.set.empty()) flow.add("set", written(edits.set));
  if (!edits.add.empty()) flow.add("add", written(edits.add));
  if (!edits.remove.empty()) flow.add("remove", list_of(edits.remove));
  return flow.take();
}

}  // namespace baton::config
