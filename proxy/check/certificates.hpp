// Certificates that cannot be used, and those whose time is over, has not come, or is soon over.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/config.hpp"

namespace baton::check {

// Of every certificate, key and CA that cannot be used: "FILE:LINE:COLUMN: /path: why". With any of these nothing
// starts.
std::vector<std::string> refused_certificates(const config::Config& config);

// What is wrong with the dates in a file, for each place that names it. Of CAs one that is valid is enough.
std::vector<std::pair<config::File, std::string>> dated_certificates(const config::Config& config);

}  // namespace baton::check
