// What `baton ctl` shows to people. What comes from the other side is data of a stranger: of any form, and nothing of
// it reaches a terminal as a control character. Functions of JSON throw std::exception where it is not what Baton
// writes.
#pragma once

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace baton::ctl {

// The same text with control characters and what is not UTF-8 replaced; line ends stay if `lines`.
std::string printable(std::string_view text, bool lines = false);

// A table of what /status says.
std::string status_table(const boost::json::object& status);

// An upgrade's report, one line each.
std::string upgrade_report(const boost::json::object& upgrade);

// "to baton 0.1.0, with all connections": `rollback` of the status, and of an upgrade's events.
std::string rollback_text(const boost::json::object& rollback);

// "[######------] 6 of 12 connections have left", `done` of `of`.
std::string progress_bar(std::uint64_t done, std::uint64_t of);

}  // namespace baton::ctl
