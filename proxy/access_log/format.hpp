// How the lines of the access log look, as the configuration says.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace baton::access_log {

struct Format {
  config::AccessFormat name = config::AccessFormat::combined;
  config::Template text;        // of the format `text`
  std::vector<bool> in_quotes;  // for each of its parts: its value stands between quotation marks
  std::string syslog_name;      // what stands between the time and the message of RFC 5424; empty: no syslog
};

Format format_of(const config::AccessLog& log);

}  // namespace baton::access_log
