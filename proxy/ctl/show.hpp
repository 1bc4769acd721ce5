// What `baton ctl` shows to people. What the other side sends is untrusted: it may have any form, and none of it
// reaches a terminal as a control character. Functions that take JSON throw std::exception if it is not what Baton
// writes.
#pragma once

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace baton::ctl {

// The same text with control characters and invalid UTF-8 replaced; line ends stay if `lines`.
std::string printable(std::string_view text, bool lines = false);

// The same text with `name:` before each line that begins with LINE:COLUMN:, a place in that file.
std::string with_file_name(const std::string& text, const std::string& name);

// The contents of /status as a table.
std::string status_table(const boost::json::object& status);

// The contents of /servers as a table.
std::string routes_table(const boost::json::object& routes);
std::string servers_table(const boost::json::object& servers);

// An upgrade's report, one line for each fact.
std::string upgrade_report(const boost::json::object& upgrade);

// "to baton 0.1.0, with all connections": for `rollback` in the status, and in an upgrade's events.
std::string rollback_text(const boost::json::object& rollback);

// "canary 5%, wait, 12 s left: 900 requests, 2 clients failed; others 17k, 3": for an upgrade's event `canary`.
std::string canary_line(const boost::json::object& event);

// "[######------] 6 of 12 connections have left", `done` of `of`.
std::string progress_bar(std::uint64_t done, std::uint64_t of);

}  // namespace baton::ctl
