#include "proxy/admin/history.hpp"

#include <boost/json.hpp>

#include <cstdint>

namespace baton::admin {

namespace json = boost::json;

std::string history_json(const state::History& history) {
  using Value = std::uint64_t state::Sample::*;
  const auto list_of = [&](Value value, bool zero_is_none) {
    json::array list;
    list.reserve(history.samples().size());
    for (const state::Sample& sample : history.samples()) {
      const std::uint64_t number = sample.*value;
      const bool is_known = sample.is_known && !(zero_is_none && number == 0);
      list.push_back(is_known ? json::value(number) : json::value(nullptr));
    }
    return list;
  };
  return json::serialize(json::object{{"every_s", state::History::every_ms / 1000},
                                      {"until_ms", history.until_ms()},
                                      {"requests", list_of(&state::Sample::requests, false)},
                                      {"failures", list_of(&state::Sample::failures, false)},
                                      {"p50_ms", list_of(&state::Sample::p50_ms, true)},
                                      {"p99_ms", list_of(&state::Sample::p99_ms, true)},
                                      {"connections", list_of(&state::Sample::connections, false)}});
}

}  // namespace baton::admin
