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
      case query:
        placeholders.append(part, out);
        break;
      default:
        value.clear();
        placeholders.append(part, value);
        routing::append_to_path(value, routing::PathText::value, out);
    }
  }
  if (out.find('?') == std::string::npos) out += placeholders.query();
}

void write_target(const config::PathRewrite& rewrite, const Placeholders& placeholders, std::string& out) {
  std::string space;
  const std::string_view path = routing::resolved_path(placeholders.path(), space);
  if (rewrite.replace) return replace_path(*rewrite.replace, placeholders, path, out);
  routing::rewrite_path(rewrite, path, out);
  out += placeholders.query();
}

}  // namespace

RequestRewrite rewrite_request(const routing::Rewrite& rewrite, const state::Exchange& exchange,
                               const Context& context) {
  Scratch::Written& written = context.scratch.written;
  written.target.clear();
  written.host.clear();
  written.fields.clear();
  const Placeholders placeholders(exchange, context);
  if (rewrite.changes_path && placeholders.path().starts_with('/')) {
    write_target(rewrite.path, placeholders, written.target);
  }
  if (rewrite.host.to == config::HostRewrite::To::upstream && context.server_names != nullptr && exchange.upstream) {
    context.server_names->append_name_of(*exchange.upstream, written.host);
  } else if (rewrite.host.to == config::HostRewrite::To::literal) {
    placeholders.expand(rewrite.host.literal, written.host);
  }
  write_fields(rewrite.request.edits, placeholders, written.fields);
  return {.edits = {.removed = rewrite.request.removed, .fields = written.fields},
          .target = written.target,
          .host = written.host};
}

state::Boxed<state::ResponseEdits> plan_response_edits(const routing::Rewrite& rewrite,
                                                       const state::Exchange& exchange, const Context& context) {
  if (rewrite.response.edits.empty()) return {};
  std::string& lines = context.scratch.written.fields;
  lines.clear();
  write_fields(rewrite.response.edits, Placeholders(exchange, context), lines);
  return state::ResponseEdits{.removed = rewrite.response.removed, .fields = lines};
}

}  // namespace baton::http1
