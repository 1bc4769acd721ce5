// What `POST /upgrade`, `/promote` and `/rollback` and `GET /events` report during the upgrade: one JSON object per
// line, with the kind of event as `event`. Readers skip events that they do not know. `waiting` and `moving` repeat
// every 200 ms, `probation` and `canary` every 100 ms.
//
//   {"event":"rollback","version":"0.1.0","unknown":3}    the version it goes back to, and connections that it
//                                                         cannot serve: these stay here until they end, for
//                                                         drain_timeout at most
//   {"event":"started","pid":4712,"binary":"/usr/bin/baton"}
//   {"event":"waiting"}                                   the successor is getting ready
//   {"event":"ready"}                                     the successor can serve; connections begin to move
//   {"event":"probation","left_ms":9500,"accepted":12,"served":40,"failed":0}   how the successor serves new
//   connections
//   {"event":"canary","left_ms":21000,"canary":{…}}       how the clients of the canary fare, beside the others: as in
//                                                         the result, whose `decided_by` is empty until it is decided
//   {"event":"recalled"}                                  the upgrade is cancelled; the successor gives everything back
//   {"event":"moving","left":12,"of":300}                 connections still here, and here at the beginning
//   {"event":"result","upgrade":{…}}                      always the last: `last_upgrade` as /status shows it
#pragma once

#include <cstdint>
#include <string>

#include "handoff/parties.hpp"
#include "proxy/admin/status.hpp"

namespace baton::admin {

std::string started_event(std::int64_t pid, const std::string& binary);
std::string rollback_event(const std::string& version, std::uint64_t unknown);
std::string waiting_event();
std::string ready_event();
std::string probation_event(std::uint64_t left_ms, const handoff::Conduct& conduct);
std::string canary_event(std::uint64_t left_ms, const state::CanaryRecord& canary);
std::string recalled_event();
std::string moving_event(std::uint64_t left, std::uint64_t of);
std::string result_event(const LastUpgrade& upgrade);

}  // namespace baton::admin
