#include "proxy/routing/rules.hpp"

#include <optional>
#include <utility>

namespace baton::routing {

namespace {

std::shared_ptr<const std::vector<config::Template::Part>> captured_for(const config::Log& log) {
  if (!log.access) return nullptr;
  std::vector<config::Template::Part> parts;
  for (const config::Template::Part& part : log.access->text.parts()) {
    using enum config::Placeholder;
    const bool is_of_head = part.placeholder == header || part.placeholder == host || part.placeholder == port ||
                            part.placeholder == scheme;
    if (is_of_head) parts.push_back(part);
  }
  if (parts.empty()) return nullptr;
  return std::make_shared<const std::vector<config::Template::Part>>(std::move(parts));
}

}  // namespace

Rules rules_of(const config::Config& config) {
  const config::Limits& limits = config.limits;
  const config::Timeouts& timeouts = config.timeouts;
  return {
      .head_bytes = limits.head_bytes,
      .uri_bytes = limits.uri_bytes,
      .fields = limits.fields,
      .body_bytes = limits.body_bytes,
      .requests_per_connection = limits.requests_per_connection,
      .buffer_bytes = limits.buffer_bytes,
      .head_ms = timeouts.head.count(),
      .body_ms = timeouts.body.count(),
      .send_ms = timeouts.send.count(),
      .idle_ms = timeouts.idle.count(),
      .connect_ms = timeouts.connect.count(),
      .response_ms = timeouts.response.count(),
      .response_body_ms = timeouts.response_body.count(),
      .total_ms = timeouts.total.count(),
      .tunnel_idle_ms = timeouts.tunnel_idle.count(),
      .keep_access = config.log.access.has_value(),
      .captured = captured_for(config.log),
      .underscores = config.underscores == config::Underscores::pass,
  };
}

Rules rules_of(const config::Route& route, const Rules& global) {
  Rules rules = global;
  const auto set_time = [](std::int64_t& to, const std::optional<config::Milliseconds>& own) {
    if (own) to = own->count();
  };
  set_time(rules.body_ms, route.timeouts.body);
  set_time(rules.send_ms, route.timeouts.send);
  set_time(rules.connect_ms, route.timeouts.connect);
  set_time(rules.response_ms, route.timeouts.response);
  set_time(rules.response_body_ms, route.timeouts.response_body);
  set_time(rules.total_ms, route.timeouts.total);
  set_time(rules.tunnel_idle_ms, route.timeouts.tunnel_idle);
  rules.body_bytes = route.limits.body_bytes.value_or(global.body_bytes);
  rules.buffer_bytes = route.limits.buffer_bytes.value_or(global.buffer_bytes);
  rules.retries = route.retries;
  rules.keep_access = global.keep_access && route.access_log != 0;
  rules.access_share = route.access_log;
  return rules;
}

}  // namespace baton::routing
