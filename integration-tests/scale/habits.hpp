// How each kind of client lives in a crew, and what the origin must answer for them beside what it answers anyway.
#pragma once

#include <vector>

#include "clients/kinds.hpp"
#include "harness/origin.hpp"
#include "scale/crew.hpp"

namespace baton::harness::habits {

// In one way or several; empty: this kind is not played here. Tunnels begin with a request, also over raw TCP, where
// the origin is talked to directly.
std::vector<Habit> of(clients::Kind kind, clients::Transport transport = clients::Transport::plain);

// /events, /pour
void serve(Origin& origin, Course& course);

}  // namespace baton::harness::habits
