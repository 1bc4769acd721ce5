// Notes who sent a request and what marks it, and makes the fields that say so.
#include "proxy/http1/marks.hpp"

#include <algorithm>

#include "proxy/http1/phases.hpp"
#include "proxy/http1/request_id.hpp"

namespace baton::http1 {

using namespace state;

namespace {

const Identity& identity_of_head(const Context& context) {
  Marks& marks = context.scratch.marks;
  if (!marks.is_identified) identify(context.scratch.request, *context.peer, *context.trusted, marks.identity);
  marks.is_identified = true;
  return marks.identity;
}

// The value of the only field with that name; empty: there is none, or there are several.
std::string_view only_value(const RequestHead& head, std::string_view name) {
  const auto is_it = [&](const Field& field) { return equals_ignoring_case(field.name, name); };
  if (std::ranges::count_if(head.fields, is_it) != 1) return {};
  return std::ranges::find_if(head.fields, is_it)->value;
}

bool has_field(const RequestHead& head, std::string_view name) {
  return std::ranges::any_of(head.fields, [&](const Field& field) { return equals_ignoring_case(field.name, name); });
}

template <std::size_t bytes>
std::string_view view_of(const std::array<char, bytes>& text) {
  return {text.data(), text.size()};
}

Extras& extras_of(Exchange& exchange) {
  return exchange.extras ? *exchange.extras : exchange.extras.emplace();
}

}  // namespace

void note_request_id(Exchange& exchange, const Context& context, const RequestHead* head) {
  const routing::ClientRules* const rules = context.clients;
  if (rules == nullptr || !rules->has_ids()) return;
  Extras& extras = extras_of(exchange);
  if (!extras.request_id.empty()) return;
  const std::string_view own =
      head != nullptr && rules->trusts_request_ids ? only_value(*head, rules->request_id_header) : std::string_view();
  if (is_request_id(own)) {
    extras.request_id = own;
  } else {
    extras.request_id = view_of(make_request_id(context.unix_us / 1000, context.scratch.marks.random));
  }
}

HeadError recognise(Exchange& exchange, const Context& context) {
  const RequestHead& head = context.scratch.request;
  note_request_id(exchange, context, &head);
  const bool begins_trace = context.clients != nullptr && context.clients->propagates_traces;
  if (begins_trace && (!exchange.extras || exchange.extras->traceparent.empty()) && !has_field(head, "traceparent")) {
    extras_of(exchange).traceparent = view_of(make_traceparent(context.scratch.marks.random));
  }
  if (context.trusted == nullptr) {
    if (exchange.extras) exchange.extras->client.reset();
    return {};
  }
  const Identity& identity = identity_of_head(context);
  if (identity.error) return identity.error;
  extras_of(exchange).client = identity.client();
  return {};
}

OwnField id_field(const Exchange& exchange, const Context& context) {
  const bool has_id = context.clients != nullptr && exchange.extras && !exchange.extras->request_id.empty();
  if (!has_id || !context.clients->has_ids()) return {};
  return {context.clients->request_id_header, exchange.extras->request_id};
}

const ResponseChanges& changes_of_response(const Exchange& exchange, const Context& context) {
  ResponseChanges& changes = context.scratch.marks.response;
  changes = {.replacing = id_field(exchange, context), .set_cookie = exchange.sticky_cookie};
  if (exchange.response_edits) {
    changes.edits = {.removed = exchange.response_edits->removed, .fields = exchange.response_edits->fields};
  }
  return changes;
}

void add_marks(const Exchange& exchange, const Context& context, ForwardedBy& by) {
  Marks& marks = context.scratch.marks;
  RequestChanges& changes = marks.request;
  changes = {};
  by.changes = &changes;
  if (context.trusted != nullptr) {
    const Identity& identity = identity_of_head(context);
    write_x_forwarded_for(identity.chain, marks.x_forwarded_for);
    by.client_address = marks.x_forwarded_for;
    if (!identity.scheme.empty()) by.https = identity.scheme == "https";
    changes.forwarded_host = identity.host;
  }
  if (context.clients == nullptr) return;
  const routing::ClientRules& rules = *context.clients;
  std::size_t count = 0;
  changes.x_forwarded = rules.forwarded.x_forwarded;
  if (rules.forwarded.forwarded) {
    const std::string_view host =
        changes.forwarded_host.empty() ? context.scratch.meaning.host : changes.forwarded_host;
    if (context.trusted == nullptr) marks.identity.chain.assign(1, *context.peer);
    write_forwarded(marks.identity.chain, host, by.https, marks.forwarded);
    marks.fields[count++] = {"Forwarded", marks.forwarded};
  }
  if (rules.forwarded.x_real_ip) {
    marks.real_ip = client_of(exchange, *context.peer).node_text();
    marks.fields[count++] = {"X-Real-IP", marks.real_ip};
  }
  if (const OwnField id = id_field(exchange, context); !id.name.empty()) {
    marks.fields[count++] = id;
    changes.replaced = id.name;
  }
  if (exchange.extras && !exchange.extras->traceparent.empty() && rules.propagates_traces) {
    marks.fields[count++] = {"traceparent", exchange.extras->traceparent};
  }
  changes.more = std::span(marks.fields).first(count);
}

}  // namespace baton::http1
