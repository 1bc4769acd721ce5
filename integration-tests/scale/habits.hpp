// How each kind of client lives in a crew, and what the origin must answer for them besides its usual answers.
#pragma once

#include <vector>

#include "clients/kinds.hpp"
#include "harness/origin.hpp"
#include "scale/crew.hpp"

namespace baton::harness::habits {

// One or several habits; empty: this kind is not played here. Tunnels begin with a request, also over raw TCP, where
// the client talks to the origin directly.
std::vector<Habit> of(clients::Kind kind, clients::Transport transport = clients::Transport::plain);

// /events, /pour
void serve(Origin& origin, Course& course);

}  // namespace baton::harness::habits
