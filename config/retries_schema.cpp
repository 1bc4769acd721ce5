#include "config/retries_schema.hpp"

#include <fmt/format.h>

#include "config/text.hpp"

namespace baton::config {
namespace {

constexpr Name<RetryOn> causes[] = {
    {"connect", on_connect}, {"reset", on_reset}, {"502", on_502}, {"503", on_503}, {"504", on_504}};

void read_attempts(Reader& reader, const Node& node, Retries& retries) {
  std::uint64_t attempts = retries.attempts;
  if (const auto text = reader.text(node)) reader.assign(attempts, node, parse_count(*text, {1, 10}));
  retries.attempts = static_cast<std::uint8_t>(attempts);
}

void read_on(Reader& reader, const Node& node, Retries& retries) {
  const auto items = reader.one_or_list(node);
  if (items.empty()) reader.refuse(node, "the list is empty; `attempts: 1` switches retries off");
  retries.on = 0;
  for (const Node& item : items) {
    const auto cause = reader.choice(item, causes);
    if (!cause) continue;
    if ((retries.on & *cause) != 0) reader.refuse(item, quote(name_of(*cause, causes)) + " appears twice");
    retries.on |= *cause;
  }
}

void read_budget(Reader& reader, const Node& node, Retries& retries) {
  const auto text = reader.text(node);
  if (!text) return;
  if (!text->ends_with('%')) return reader.refuse(node, "expected a percentage from 1% to 100%, as in `20%`");
  std::uint64_t percent = retries.budget;
  reader.assign(percent, node, parse_count(std::string_view(*text).substr(0, text->size() - 1), {1, 100}));
  retries.budget = static_cast<std::uint8_t>(percent);
}

constexpr Key<Retries> retry_keys[] = {{"attempts", read_attempts}, {"on", read_on}, {"budget", read_budget}};
constexpr Section<Retries> retries_section{"routes.retries", "in `retries`", retry_keys};

}  // namespace

void read_retries(Reader& reader, const Node& node, Route& route) {
  read_section(reader, node, retries_section, route.retries.emplace());
}

void add_retry_keys(std::vector<KnownKey>& known) {
  add_keys(known, retries_section);
}

std::string retries_text(const Retries& retries) {
  std::string on;
  for (const auto& cause : causes) {
    if ((retries.on & cause.value) != 0) on += fmt::format("{}{}", on.empty() ? "" : ", ", cause.text);
  }
  return fmt::format("{{ attempts: {}, on: [{}], budget: {}% }}", retries.attempts, on, retries.budget);
}

}  // namespace baton::config
