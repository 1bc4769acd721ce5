// What `GET /history` reports.
#pragma once

#include <string>

#include "proxy/state/history.hpp"

namespace baton::admin {

// As JSON, one line. Each list has a value for each sample, the oldest first; null: it is not known.
//
//   {"every_s":10,"until_ms":…,"requests":[…],"failures":[…],"p50_ms":[…],"p99_ms":[…],"connections":[…]}
std::string history_json(const state::History& history);

}  // namespace baton::admin
