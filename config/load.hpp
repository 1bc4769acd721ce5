// YAML to Config. A bad file is refused whole, with every problem found in it.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.hpp"

namespace baton::config {

// One thing that is wrong, where, and what to write instead.
struct Problem {
  Position where;
  std::string message;

  // "FILE:LINE:COLUMN: message", the form that editors and people know.
  std::string text() const;
};

using Problems = std::vector<Problem>;

// Reads one value of the environment; nullptr means unset. Tests give their own.
using Environment = const char* (*)(const char* name);

// Reads and checks a file. A file that cannot be read is one Problem with line 0.
std::variant<Config, Problems> load_file(const std::string& path, Environment environment);

// The same from memory; `name` stands for the file in problems. What `print` has written may be longer than a file.
inline constexpr std::size_t file_bytes_max = 1024 * 1024;
std::variant<Config, Problems> load_text(std::string_view yaml, const std::string& name, Environment environment,
                                         std::size_t bytes_max = file_bytes_max);

// The whole effective configuration as YAML that load_text reads back to an equal Config.
std::string print(const Config& config);

}  // namespace baton::config
