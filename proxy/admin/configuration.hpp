// `PUT /config` and what it answers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/changes.hpp"

namespace baton::admin {

struct ConfigurationCommand {
  std::string yaml;      // the whole configuration
  bool dry_run = false;  // say what it would change, and change nothing
  bool json = false;     // answer with one JSON object
};

// From the query of `PUT /config`: `dry_run` and `json`, in any order. Nothing: it has something else.
std::optional<ConfigurationCommand> read_configuration_command(std::string_view query);

// `text` says what was done, or why nothing was.
std::string configuration_text(bool done, const std::string& text, const std::vector<config::Change>& changes);
std::string configuration_json(bool done, const std::string& text, const std::vector<config::Change>& changes);

}  // namespace baton::admin
