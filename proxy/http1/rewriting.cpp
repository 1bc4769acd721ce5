#include "proxy/http1/rewriting.hpp"

#include "proxy/http1/placeholders.hpp"
#include "proxy/routing/path_rewrite.hpp"

namespace baton::http1 {

namespace {

// Appends the lines of the fields that have a value.
void write_fields(const std::vector<config::FieldEdits::Field>& fields, const Placeholders& placeholders,
                  std::string& lines) {
  for (const config::FieldEdits::Field& field : fields) {
    const std::size_t begin = lines.size();
    lines.append(field.name).append(": ");
    const std::size_t value = lines.size();
    placeholders.expand(field.value, lines);
    if (lines.size() == value) {
      lines.resize(begin);
    } else {
      lines.append("\r\n");
    }
  }
}

void write_fields(const config::FieldEdits& edits, const Placeholders& placeholders, std::string& lines) {
  write_fields(edits.set, placeholders, lines);
  write_fields(edits.add, placeholders, lines);
}

// The whole path of `replace`. A query in it takes the place of the request's.
void replace_path(const config::Template& replace, const Placeholders& placeholders, std::string_view resolved,
                  std::string& out) {
  std::string value;
  for (const config::Template::Part& part : replace.parts()) {
    routing::append_to_path(part.text, routing::PathText::path, out);
    switch (part.placeholder) {
      using enum config::Placeholder;
      case path:
        out += resolved;
        break;
      case uri:
        out.append(resolved).append(placeholders.query());
        break;
      default:
        value.clear();
        if (part.placeholder == query && out.find('?') != std::string::npos) {
          placeholders.append(part, out);
          break;
        }
        placeholders.append(part, value);
        routing::append_to_path(value, routing::PathText::value, out);
    }
  }
  if (out.find('?') == std::string::npos) out += placeholders.query();
}

void write_target(const routing::Rewrite& how, const Placeholders& placeholders, std::string& out) {
  std::string space;
  const std::string_view path = routing::resolved_path(placeholders.path(), space);
  if (how.path.replace) return replace_path(*how.path.replace, placeholders, path, out);
  if (how.substitution) {
    how.substitution->apply(path, out);
  } else {
    routing::rewrite_path(how.path, path, out);
  }
  out += placeholders.query();
}

void plan_response(const routing::Rewrite& how, state::Exchange& exchange, const Placeholders& placeholders,
                   std::string& lines) {
  exchange.response_edits.reset();
  if (how.response.edits.empty()) return;
  lines.clear();
  write_fields(how.response.edits, placeholders, lines);
  exchange.response_edits = state::ResponseEdits{.removed = how.response.removed, .fields = lines};
}

}  // namespace

void append_response_fields(const routing::Rewrite& how, const state::Exchange& exchange, const Context& context,
                            std::string& lines) {
  write_fields(how.response.edits, Placeholders(exchange, context), lines);
}

bool append_location(const config::Template& target, const state::Exchange& exchange, const Context& context,
                     std::string& out) {
  const Placeholders placeholders(exchange, context);
  const std::size_t begin = out.size();
  std::string value;
  for (const config::Template::Part& part : target.parts()) {
    out += part.text;
    value.clear();
    placeholders.append(part, value);
    switch (part.placeholder) {
      using enum config::Placeholder;
      case uri:
      case path:
        if (!value.starts_with('/')) value.insert(0, 1, '/');  // of `OPTIONS *`
        [[fallthrough]];
      case query:
        // Browsers take a backslash for a slash.
        for (const char c : value) c == '\\' ? void(out += "%5C") : void(out += c);
        break;
      case host:
        if (value.empty()) return false;
        [[fallthrough]];
      case port:
        out += value;
        break;
      default:
        routing::append_to_path(value, routing::PathText::value, out);
    }
  }
  // Two slashes would begin a host.
  while (out.size() > begin + 1 && out[begin] == '/' && out[begin + 1] == '/') out.erase(begin, 1);
  return true;
}

bool rewrite(const routing::Rewrite& how, state::Exchange& exchange, const Context& context, ForwardedBy& by) {
  Scratch::Written& written = context.scratch.written;
  const Placeholders placeholders(exchange, context);
  plan_response(how, exchange, placeholders, written.fields);
  written.target.clear();
  written.host.clear();
  written.fields.clear();
  if (how.changes_path && placeholders.path().starts_with('/')) write_target(how, placeholders, written.target);
  const std::string_view new_path = std::string_view(written.target).substr(0, written.target.find('?'));
  if ((how.path.replace || how.substitution) && routing::has_dot_segments(new_path)) return false;
  if (how.host.to == config::HostRewrite::To::upstream && context.server_names != nullptr && exchange.upstream) {
    context.server_names->append_name_of(*exchange.upstream, written.host);
  } else if (how.host.to == config::HostRewrite::To::literal) {
    placeholders.expand(how.host.literal, written.host);
  }
  write_fields(how.request.edits, placeholders, written.fields);
  RequestChanges& changes = context.scratch.marks.request;
  if (by.changes == nullptr) changes = {};
  changes.target = written.target;
  changes.host = written.host;
  changes.edits = {.removed = how.request.removed, .fields = written.fields};
  by.changes = &changes;
  return true;
}

}  // namespace baton::http1
