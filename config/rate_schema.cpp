#include "config/rate_schema.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/client_identity.hpp"
#include "config/text.hpp"
#include "config/written.hpp"

namespace baton::config {
namespace {

constexpr std::uint64_t count_max = 1'000'000'000;
constexpr std::uint64_t interval_us_min = 1'000'000 / requests_per_second_max;
constexpr std::uint64_t day_us = 24ULL * 3600 * 1'000'000;
constexpr std::uint64_t burst_us_max = 10 * day_us;

Parsed<RateBy> parse_rate_by(std::string_view text) {
  if (text == "client") return RateBy{RateBy::What::client, {}};
  if (text == "route") return RateBy{RateBy::What::route, {}};
  if (!text.starts_with("header ") && text != "header") {
    return std::unexpected("expected `client`, `header NAME` or `route`");
  }
  std::string_view name = text.substr(std::string_view("header").size());
  while (name.starts_with(' ')) name.remove_prefix(1);
  if (name.empty()) return std::unexpected("`header` needs a name, as in `by: header X-API-Key`");
  if (!is_token(name)) return std::unexpected(quote(name) + " is not the name of a header");
  RateBy by{RateBy::What::header, lowercase(name)};
  if (!names_client_identity(by.name)) return by;
  return std::unexpected(
      fmt::format("any client can send {}; `by: client` counts by the address that is believed, see "
                  "`trusted_proxies`",
                  quote(name)));
}

void read_by(Reader& reader, const Node& node, RateLimit& limit) {
  if (const auto text = reader.text(node)) reader.assign(limit.by, node, parse_rate_by(*text));
}

constexpr Key<RateLimit> rate_keys[] = {
    {"requests", read_count<&RateLimit::requests, Bounds{1, count_max}>, true},
    {"per", read_duration<&RateLimit::per, Bounds{1, day_us / 1000}>},
    {"burst", read_count<&RateLimit::burst, Bounds{1, count_max}>},
    {"by", read_by},
};
std::string rate_of(std::string_view text) {
  const auto requests = parse_count(text, Bounds{1, requests_per_second_max});
  return fmt::format("{{ requests: {}, per: 1s }}", requests ? *requests : 100);
}

constexpr Section<RateLimit> rate_section{"routes.rate_limit", "in `rate_limit`", rate_keys, rate_of};

}  // namespace

void read_rate_limit(Reader& reader, const Node& node, Route& route) {
  RateLimit& limit = route.gate.rate_limit.emplace();
  if (!read_section(reader, node, rate_section, limit)) return;
  if (limit.burst == 0) limit.burst = limit.requests;
  const std::uint64_t per_us = static_cast<std::uint64_t>(limit.per.count()) * 1000;
  if (limit.requests * interval_us_min > per_us) {
    return reader.refuse(node, fmt::format("{} requests per {} are more than {} per second, the most that are counted",
                                           limit.requests, duration_text(limit.per), requests_per_second_max));
  }
  if (limit.burst > burst_us_max / limit.interval_us()) {
    reader.refuse(node, fmt::format("after a burst of {} it would take more than 10 days until another is possible; "
                                    "write at most `burst: {}`",
                                    limit.burst, burst_us_max / limit.interval_us()));
  }
}

void add_rate_keys(std::vector<KnownKey>& known) {
  add_keys(known, rate_section);
}

std::string rate_limit_text(const RateLimit& limit) {
  const std::string by = limit.by.what == RateBy::What::client  ? "client"
                         : limit.by.what == RateBy::What::route ? "route"
                                                                : "header " + limit.by.name;
  return fmt::format("{{ requests: {}, per: {}, burst: {}, by: {} }}", limit.requests, duration_text(limit.per),
                     limit.burst, in_quotes(by));
}

}  // namespace baton::config
