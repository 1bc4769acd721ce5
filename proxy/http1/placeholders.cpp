#include "proxy/http1/placeholders.hpp"

#include <algorithm>

#include "proxy/http1/phases.hpp"

namespace baton::http1 {

namespace {

// The port of `host:port`; empty: there is none.
std::string_view port_of(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  return colon == std::string_view::npos || authority.ends_with(']') ? "" : authority.substr(colon + 1);
}

std::string_view host_in(std::string_view authority) {
  const std::string_view port = port_of(authority);
  const bool has_colon = !authority.empty() && (authority.ends_with(':') || !port.empty());
  return authority.substr(0, authority.size() - port.size() - (has_colon ? 1 : 0));
}

}  // namespace

Placeholders::Placeholders(const state::Exchange& exchange, const Context& context)
    : exchange_(exchange), context_(context) {
  const std::string_view target = split_target(context.scratch.request.target).path;
  const std::size_t mark = std::min(target.find('?'), target.size());
  path_ = mark == 0 ? "/" : target.substr(0, mark);
  query_ = target.substr(mark);
}

void Placeholders::expand(const config::Template& text, std::string& out) const {
  for (const config::Template::Part& part : text.parts()) {
    out += part.text;
    const std::size_t begin = out.size();
    append(part, out);
    const auto is_control = [](char c) { return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f; };
    std::replace_if(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(), is_control, '?');
  }
}

void Placeholders::append(const config::Template::Part& part, std::string& out) const {
  const state::ConnectionState* const connection = context_.connection;
  const RequestMeaning& meaning = context_.scratch.meaning;
  switch (part.placeholder) {
    using enum config::Placeholder;
    case none:
      return;
    case client:
      out += context_.peer != nullptr ? client_of(exchange_, *context_.peer).node_text()
                                      : std::string(context_.client_address);
      return;
    case scheme:
      out += is_https() ? "https" : "http";
      return;
    case host:
      out += host_in(meaning.host);
      return;
    case port: {
      const std::string_view named = port_of(meaning.host);
      out += !named.empty() ? named : is_https() ? "443" : "80";
      return;
    }
    case method:
      out += context_.scratch.request.method_text;
      return;
    case uri:
      out += path_;
      out += query_;
      return;
    case path:
      out += path_;
      return;
    case query:
      out += query_.substr(std::min<std::size_t>(query_.size(), 1));
      return;
    case request_id:
      if (exchange_.extras) out += exchange_.extras->request_id.view();
      return;
    case listener:
      if (connection != nullptr) out += connection->listener.view();
      return;
    case route:
      out += exchange_.route.view();
      return;
    case upstream:
      if (exchange_.upstream) out += exchange_.upstream->upstream.view();
      return;
    case server:
      if (exchange_.upstream) out += exchange_.upstream->server.text();
      return;
    case tls_version:
      if (context_.https && connection != nullptr) out += connection->client.tls->version == 0x0304 ? "1.3" : "1.2";
      return;
    case tls_subject:
      out += context_.client_subject;
      return;
    case header:
      return append_field(part.field, out);
    default:
      return;  // for the access log alone: not known before the end
  }
}

bool Placeholders::is_https() const {
  return forwarded_by(exchange_, context_).https;
}

// Several lines are one list (RFC 9110 §5.3); cookies have a separator of their own (RFC 6265 §5.4).
void Placeholders::append_field(std::string_view name, std::string& out) const {
  bool is_first = true;
  for (const Field& field : context_.scratch.request.fields) {
    // What says who the client is may be made up by it, and some fields do not reach the server either.
    const bool is_dropped = field.id == FieldName::client_identity ||
                            (field.id == FieldName::with_underscore && !context_.rules->underscores);
    if (is_dropped || !equals_ignoring_case(field.name, name)) continue;
    if (!is_first) out += name == "cookie" ? "; " : ", ";
    out += field.value;
    is_first = false;
  }
}

}  // namespace baton::http1
