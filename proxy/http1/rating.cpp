// Whether a request comes within its rates.
#include <fmt/format.h>

#include <algorithm>

#include "proxy/http1/phases.hpp"
#include "proxy/rates/client_key.hpp"

namespace baton::http1 {

using namespace state;

namespace {

// The first field of that name, except those in which any client can claim to be another; nothing: there is none.
const Field* field_named(const RequestHead& head, std::string_view name) {
  const auto found = std::ranges::find_if(head.fields, [&](const Field& field) {
    return field.id != FieldName::client_identity && equals_ignoring_case(field.name, name);
  });
  return found != head.fields.end() ? &*found : nullptr;
}

rates::Taking take(const routing::RateLimit& limit, const Exchange& exchange, const Context& context) {
  using What = config::RateBy::What;
  const std::int64_t now_us = context.now_ms * 1000;
  if (limit.by.what == What::route) return limit.table->take(limit.id, limit.rate, {}, now_us);
  if (limit.by.what == What::header) {
    const Field* const field = field_named(context.scratch.request, limit.by.name);
    if (field != nullptr) return limit.table->take(limit.id, limit.rate, field->value, now_us);
  }
  const SocketAddress& client = client_of(exchange, *context.peer);
  if (limit.spares_proxies && context.trusted != nullptr && context.trusted->trusts(client)) return {};
  // A header cannot have the value that would be the key of another's address.
  const std::uint64_t id = limit.by.what == What::header ? ~limit.id : limit.id;
  return limit.table->take(id, limit.rate, rates::ClientKey(client).bytes(), now_us);
}

Action refuse(Exchange& exchange, const Ends& ends, const Context& context, const routing::RateLimit& limit,
              std::int64_t wait_us) {
  constexpr std::int64_t second_us = 1'000'000;
  context.scratch.refusal = {429, limit.why};
  const std::int64_t seconds = std::max<std::int64_t>((wait_us + second_us - 1) / second_us, 1);
  return answer_with(exchange, ends, context, {.status = 429, .fields = fmt::format("Retry-After: {}\r\n", seconds)},
                     Ending::rate);
}

}  // namespace

Action pass_rates(Exchange& exchange, const Ends& ends, const Context& context, const routing::RateLimits& limits) {
  if (exchange.request.is_counted || limits.empty()) return Action::connect;
  exchange.request.is_counted = true;
  for (const routing::RateLimit& limit : limits) {
    if (!limit.table) continue;
    const rates::Taking taking = take(limit, exchange, context);
    if (!taking.passes) return refuse(exchange, ends, context, limit, taking.wait_us);
  }
  return Action::connect;
}

}  // namespace baton::http1
