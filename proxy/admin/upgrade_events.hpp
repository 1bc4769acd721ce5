// What `POST /upgrade` and `POST /rollback` tell while the upgrade goes on: one JSON object a line, with the name of what happened as
// `event`. Readers pass over events that they do not know. `waiting` and `moving` come again every 200 ms.
//
//   {"event":"rollback","version":"0.1.0","unknown":3}    what is gone back to, and connections that it could not serve:
//                                                         these stay here to their end, at most for drain_timeout
//   {"event":"started","pid":4712,"binary":"/usr/bin/baton"}
//   {"event":"waiting"}                                   the successor is getting ready
//   {"event":"ready"}                                     the successor can serve; connections begin to move
//   {"event":"probation","left_ms":9500,"accepted":12,"served":40,"failed":0}   how the successor serves new connections
//   {"event":"recalled"}                                  the upgrade is called off; the successor gives back what it has
//   {"event":"moving","left":12,"of":300}                 connections that are still here, and were at the beginning
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
std::string recalled_event();
std::string moving_event(std::uint64_t left, std::uint64_t of);
std::string result_event(const LastUpgrade& upgrade);

}  // namespace baton::admin
