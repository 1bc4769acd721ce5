// A line of the access log.
#pragma once

#include <string>

#include "proxy/access_log/entry.hpp"
#include "proxy/access_log/format.hpp"

namespace baton::access_log {

// Appends one line. Text from a client is escaped, so it is always one line, and in the format `text` one field.
// combined: `ADDRESS - USER [22/Nov/2026:09:21:34 +0000] "REQUEST LINE" STATUS BYTES "REFERER" "USER AGENT"`, as nginx.
void append_line(const Format& format, const Entry& entry, std::string& lines);

}  // namespace baton::access_log
