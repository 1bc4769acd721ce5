// Finds unusable certificates, and those that have expired, are not valid yet, or expire soon.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/config.hpp"

namespace baton::check {

// Every certificate, key and CA that cannot be used: "FILE:LINE:COLUMN: /path: why". Baton does not start with any of
// these.
std::vector<std::string> refused_certificates(const config::Config& config);

// Folders in which there is no certificate, and patterns that match no folder. Baton starts with them.
std::vector<std::pair<config::File, std::string>> folders_without_certificate(const config::Config& config);

// What is wrong with the dates in a file, for each place that names it. One valid CA is enough.
std::vector<std::pair<config::File, std::string>> dated_certificates(const config::Config& config);

}  // namespace baton::check
