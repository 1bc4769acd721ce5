// Applies what a route changes (routing::Rewrite) to one request and, in advance, to its response.
#pragma once

#include "proxy/http1/edits.hpp"
#include "proxy/http1/exchange.hpp"
#include "proxy/routing/rewrite.hpp"

namespace baton::http1 {

// How the request is written for the exchange's upstream leg. Views into `context.scratch`, valid until the next call.
RequestRewrite rewrite_request(const routing::Rewrite& rewrite, const state::Exchange& exchange,
                               const Context& context);

// What will change in the response, with the values of now: nothing if the route changes none.
state::Boxed<state::ResponseEdits> plan_response_edits(const routing::Rewrite& rewrite,
                                                       const state::Exchange& exchange, const Context& context);

}  // namespace baton::http1
