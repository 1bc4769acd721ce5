// What a request passes once its head is whole and before a server is chosen for it. Each step may answer instead.
#include "proxy/http1/grammar.hpp"
#include "proxy/http1/phases.hpp"
#include "proxy/http1/rewriting.hpp"

namespace baton::http1 {

using namespace state;

namespace {

// A client can claim to be anybody in these, so no route sees them.
struct SaysWhoTheClientIs {
  bool operator()(const Field& field) const { return field.id == FieldName::client_identity; }
};

// What decides on the route.
routing::Request asked(const Exchange& exchange, const Context& context) {
  const Scratch& scratch = context.scratch;
  return {.host = scratch.meaning.host,
          .target = scratch.request.target,
          .method = scratch.request.method_text,
          .fields = routing::Fields(scratch.request.fields, SaysWhoTheClientIs{}),
          .client = context.peer != nullptr ? &client_of(exchange, *context.peer) : nullptr};
}

// What the route allows of a request.
Action apply_rules(Exchange& exchange, const Ends& ends, const Context& context, const routing::Route* route) {
  const Rules& rules = route != nullptr ? route->rules : *context.rules;
  const RequestMeaning& meaning = context.scratch.meaning;
  Request& request = exchange.request;
  const auto* length = std::get_if<ByLength>(&meaning.body);
  if (rules.body_bytes != 0 && length != nullptr && length->remaining > rules.body_bytes) {
    return answer_and_close(exchange, ends, context, 413, body_too_large);
  }
  request.body_bytes_max = rules.body_bytes;
  request.wants_upgrade = !meaning.upgrade.empty() && (route != nullptr ? route->passes_upgrade_to(meaning.upgrade)
                                                                        : is_token<"websocket">(meaning.upgrade));
  const bool is_connect = ends.client.stream && ends.client.stream->takes_connect;
  if (is_connect && !request.wants_upgrade) {
    return answer(exchange, ends, context, 501, "upgrades: the route does not pass this protocol");
  }
  return Action::connect;
}

// A browser may send requests for one host on a connection for another (RFC 9110 §15.5.20).
bool is_misdirected(const Context& context, std::string_view host) {
  if (context.certificate_covers == nullptr || host.empty()) return false;
  const std::size_t end = host.starts_with('[') ? host.find(']') + 1 : host.find(':');
  return !context.certificate_covers(context.client, host.substr(0, end));
}

// The route's own answer, with what depends on the request.
Action answer_by_itself(Exchange& exchange, const Ends& ends, const Context& context, const routing::Route& route) {
  const routing::Gate& gate = *route.gate;
  const bool adds_fields = route.rewrite && !route.rewrite->response.edits.empty();
  if (!gate.location && !adds_fields) return answer_with(exchange, ends, context, *gate.answer, Ending::answered);
  routing::Answer own = *gate.answer;
  if (gate.location) {
    own.fields = "Location: ";
    if (!append_location(*gate.location, exchange, context, own.fields)) {
      return answer(exchange, ends, context, 400, "redirect: the request names no host");
    }
    own.fields += "\r\n";
  }
  if (adds_fields) append_response_fields(*route.rewrite, exchange, context, own.fields);
  return answer_with(exchange, ends, context, own, Ending::answered);
}

}  // namespace

Action admit(Exchange& exchange, const Ends& ends, const Context& context) {
  Scratch& scratch = context.scratch;
  const std::uint32_t head_bytes = std::get<Connecting>(exchange.phase).head_bytes;
  if (const HeadError error = reread_request_head(exchange, ends.client.unread, head_bytes, scratch)) {
    return answer_and_close(exchange, ends, context, error.status, error.text);
  }
  if (is_to_recognise(context)) {
    if (const HeadError doubt = recognise(exchange, context)) {
      note_access(exchange, *context.rules, true, ends.client, context);
      return answer_and_close(exchange, ends, context, doubt.status, doubt.text);
    }
  }
  const routing::Route* const route =
      context.routes != nullptr ? context.routes->find(asked(exchange, context), scratch.routing) : nullptr;
  note_access(exchange, route != nullptr ? route->rules : *context.rules, true, ends.client, context);
  if (context.routes == nullptr) return apply_rules(exchange, ends, context, nullptr);
  if (context.maintenance && !context.routes->maintenance().allow.contains(state::client_of(exchange, *context.peer))) {
    return answer_with(exchange, ends, context, context.routes->maintenance().answer, Ending::maintenance);
  }
  if (route == nullptr) {
    const routing::RateLimits& rates = context.routes->rates_of_all();
    if (const Action action = pass_rates(exchange, ends, context, rates); action != Action::connect) return action;
    const std::uint16_t status = is_misdirected(context, scratch.meaning.host) ? 421 : 404;
    return answer(exchange, ends, context, status, "no route matches");
  }
  exchange.route = route->name;
  scratch.route = route;
  if (route->gate == nullptr) return apply_rules(exchange, ends, context, route);
  exchange.request.body_bytes_max = route->rules.body_bytes;  // by which an answer decides on the connection
  Action action = pass_gate(exchange, ends, context, *route->gate);
  if (action == Action::connect) action = apply_rules(exchange, ends, context, route);
  if (action != Action::connect || !route->gate->answer) return action;
  return answer_by_itself(exchange, ends, context, *route);
}

}  // namespace baton::http1
