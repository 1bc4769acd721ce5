// The kinds of clients, each a Habit, and what the origin must answer for them beside what it answers anyway.
#pragma once

#include "harness/origin.hpp"
#include "scale/crew.hpp"

namespace baton::harness::habits {

// Keep-alive, over HTTP:
void asks_between_upgrades(Life& life);  // idle in each upgrade
void halts_in_the_head(Life& life);      // with part of a request head sent, in each upgrade
void pipelines(Life& life);              // a few requests at once, bodies by length and in chunks both ways
void asks_for_much(Life& life);          // bodies of some megabytes, both ways
void comes_and_goes(Life& life);         // one connection after another, one request on each

// The same over TLS of this version, always asking.
Habit asks_over_tls(int version);

// One exchange that lasts, then another on the same connection:
void reads_slowly(Life& life);
void uploads_by_length(Life& life);
void uploads_in_chunks(Life& life);
void listens_to_events(Life& life);

// Tunnels. Over HTTP they begin as a WebSocket, over raw TCP the origin is talked to directly:
void talks_to_an_echo(Life& life);
void listens_with_its_own_side_closed(Life& life);  // raw TCP only
void pours_with_the_other_side_closed(Life& life);

// /events, /pour
void serve(Origin& origin, Course& course);

}  // namespace baton::harness::habits
