// `baton run`: becomes the parent, the first process that serves, or a successor.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace baton {

inline constexpr std::string_view takeover_auto = "true";  // what a flag without a value reads as

struct RunOptions {
  std::string config;
  std::string pid_file;
  std::optional<config::LogLevel> log_level;
  std::optional<config::LogFormat> log_format;
  std::string takeover;  // the path of a handoff socket; takeover_auto: the configuration's; empty: none
  bool supervise = false;
};

// Returns the exit code. `arguments` are our own, complete.
int run(const RunOptions& options, std::vector<std::string> arguments);

// A successor that does not understand its predecessor's command line says so, as it would for a configuration.
int refuse_command_line(const std::string& why);

// The file given, or the first default that exists, if any.
std::optional<std::string> find_config(const std::string& given);
// Where the configuration is by default, whether it exists or not.
std::string default_config();
std::string no_config();

const char* environment(const char* name);

}  // namespace baton
