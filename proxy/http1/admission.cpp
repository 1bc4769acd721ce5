// What a request passes once its head is whole and before a server is chosen for it. Each step may answer instead.
#include "proxy/http1/grammar.hpp"
#include "proxy/http1/phases.hpp"

namespace baton::http1 {

using namespace state;

namespace {

// What the route allows of a request.
Action apply_rules(Exchange& exchange, const Ends& ends, const Context& context, const routing::Route* route) {
  const Rules& rules = route != nullptr ? route->rules : *context.rules;
  const RequestMeaning& meaning = context.scratch.meaning;
  Request& request = exchange.request;
  note_access(exchange, rules, &context.scratch.request, ends.client.unread.view());
  const auto* length = std::get_if<ByLength>(&meaning.body);
  if (rules.body_bytes != 0 && length != nullptr && length->remaining > rules.body_bytes) {
    return answer_and_close(exchange, ends, context, 413, body_too_large);
  }
  request.body_bytes_max = rules.body_bytes;
  request.wants_upgrade = !meaning.upgrade.empty() && (route != nullptr ? route->passes_upgrade_to(meaning.upgrade)
                                                                        : is_token<"websocket">(meaning.upgrade));
  return Action::connect;
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
      note_access(exchange, *context.rules, &scratch.request, ends.client.unread.view());
      return answer_and_close(exchange, ends, context, doubt.status, doubt.text);
    }
  }
  if (context.routes == nullptr) return apply_rules(exchange, ends, context, nullptr);
  const routing::Route* const route = context.routes->find(scratch.meaning.host, scratch.request.target);
  if (route == nullptr) {
    note_access(exchange, *context.rules, &scratch.request, ends.client.unread.view());
    return answer(exchange, ends, context, 404, "no route matches");
  }
  exchange.route = route->name;
  scratch.route = route;
  return apply_rules(exchange, ends, context, route);
}

}  // namespace baton::http1
