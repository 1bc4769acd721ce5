// Applies what a route changes (routing::Rewrite) to one request and, in advance, to its response.
#pragma once

#include "proxy/http1/edits.hpp"
#include "proxy/http1/exchange.hpp"
#include "proxy/http1/forward.hpp"
#include "proxy/routing/rewrite.hpp"

namespace baton::http1 {

// Adds to `by` how the request in the tables is written for the exchange's upstream leg, and notes in the exchange what
// will change in the response, with the values of now. Views the scratch memory. False: what the client sent would lead
// out of the path that it is put into.
bool rewrite(const routing::Rewrite& how, state::Exchange& exchange, const Context& context, ForwardedBy& by);

// Appends the lines that the route adds to a response of our own.
void append_response_fields(const routing::Rewrite& how, const state::Exchange& exchange, const Context& context,
                            std::string& lines);

// Appends where a redirect leads. What the client sends cannot change its host, unless the target has `{host}`. False:
// it has, and the request names none.
bool append_location(const config::Template& target, const state::Exchange& exchange, const Context& context,
                     std::string& out);

}  // namespace baton::http1
