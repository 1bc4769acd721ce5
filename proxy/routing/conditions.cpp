#include "proxy/routing/conditions.hpp"

#include <algorithm>

namespace baton::routing {

namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Percent-encoding and, as in forms of HTML, `+` for a blank. A percent sign without two digits stands for itself.
std::string_view decoded(std::string_view text, std::string& room) {
  room.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_encoded =
        text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
    room += is_encoded       ? static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]))
            : text[i] == '+' ? ' '
                             : text[i];
    if (is_encoded) i += 2;
  }
  return room;
}

// As it was sent.
std::string_view query_of(std::string_view target) {
  const std::size_t mark = target.find('?');
  return mark == std::string_view::npos ? "" : target.substr(mark + 1);
}

std::string_view lowercase(std::string_view text, std::string& room) {
  room.assign(text);
  for (char& c : room) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return room;
}

}  // namespace

Conditions Conditioned::add(const config::Match& match) {
  Conditions conditions;
  conditions.methods = match.methods;
  const auto add_all = [this](ValueTests& tests, const std::vector<config::ValueCondition>& from,
                              std::vector<Conditions::Test>& to) {
    using Asks = config::ValueCondition::Asks;
    for (const config::ValueCondition& one : from) {
      const auto number =
          one.asks == Asks::value ? tests.add_value(one.name, one.value, tests_) : tests.add_present(one.name, tests_);
      to.push_back({number, one.asks != Asks::absent});
    }
  };
  add_all(headers_, match.headers, conditions.headers);
  add_all(queries_, match.queries, conditions.queries);
  conditions.clients = AddressSet(match.clients);
  conditions.has_clients = !match.clients.empty();
  if (!match.path_regex.empty()) {
    if (auto regex = config::PathRegex::parse(match.path_regex)) conditions.path.push_back(*std::move(regex));
  }
  return conditions;
}

void Conditioned::finish() {
  headers_.finish();
  queries_.finish();
}

// Each search has a number, so that nothing needs to be cleared before it.
void Asking::begin() {
  if (has_begun_) return;
  has_begun_ = true;
  if (scratch_.passed_in.size() < tests_.tests_) scratch_.passed_in.resize(tests_.tests_);
  if (++scratch_.search != 0) return;
  std::ranges::fill(scratch_.passed_in, 0);
  scratch_.search = 1;
}

void Asking::read_header() {
  if (std::exchange(has_header_, true)) return;
  begin();
  request_.fields.each([this](std::string_view name, std::string_view value) {
    if (!tests_.headers_.may_ask_for(name)) return;
    tests_.headers_.judge(lowercase(name, scratch_.name), [&] { return value; }, [this](auto number) { note(number); });
  });
}

void Asking::read_query() {
  if (std::exchange(has_query_, true)) return;
  begin();
  const std::string_view query = query_of(request_.target);
  const bool is_plain = query.find('%') == std::string_view::npos && query.find('+') == std::string_view::npos;
  const auto read = [is_plain](std::string_view text, std::string& room) {
    return is_plain ? text : decoded(text, room);
  };
  for (std::string_view rest = query; !rest.empty();) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view name = read(pair.substr(0, equals), scratch_.name);
    if (!tests_.queries_.may_ask_for(name)) continue;
    const std::string_view value = pair.substr(std::min(equals + 1, pair.size()));
    tests_.queries_.judge(name, [&] { return read(value, scratch_.value); }, [this](auto number) { note(number); });
  }
}

bool Asking::meets(const Conditions& conditions) {
  const auto& methods = conditions.methods;
  if (!methods.empty() && std::ranges::find(methods, request_.method) == methods.end()) return false;
  if (conditions.has_clients && (request_.client == nullptr || !conditions.clients.contains(*request_.client)))
    return false;
  const auto passes_it = [this](const Conditions::Test& test) { return passes(test); };
  if (!conditions.headers.empty()) {
    read_header();
    if (!std::ranges::all_of(conditions.headers, passes_it)) return false;
  }
  if (!conditions.queries.empty()) {
    read_query();
    if (!std::ranges::all_of(conditions.queries, passes_it)) return false;
  }
  return std::ranges::all_of(conditions.path, [this](const config::PathRegex& regex) { return regex.matches(path_); });
}

}  // namespace baton::routing
