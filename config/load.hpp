// Turns YAML into a Config. A bad file is refused as a whole, with every problem found in it.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.hpp"

namespace baton::config {

// One error: what is wrong, where, and what to write instead.
struct Problem {
  Position where;
  std::string message;

  // "FILE:LINE:COLUMN: message", the form editors understand.
  std::string text() const;
};

using Problems = std::vector<Problem>;

// Reads an environment variable; nullptr means unset. Tests pass their own.
using Environment = const char* (*)(const char* name);

// Reads and checks a file, and those that it includes. A file that cannot be read is one Problem with line 0.
std::variant<Config, Problems> load_file(const std::string& path, Environment environment);

// The same from memory, which cannot include files; `name` replaces the file name in problems. Output of `print` may be
// longer than a file.
inline constexpr std::size_t file_bytes_max = 1024 * 1024;
inline constexpr std::string_view too_large = "is larger than 1 MiB, too large for a configuration";
std::variant<Config, Problems> load_text(std::string_view yaml, const std::string& name, Environment environment,
                                         std::size_t bytes_max = file_bytes_max);

// A whole configuration that a client gives instead of the file `beside`, in whose folder relative paths begin. It has
// `applied_name` for a file name in problems, and may be as long as output of `print`.
inline constexpr std::string_view applied_name = "applied";
std::variant<Config, Problems> load_applied(std::string_view yaml, const std::string& beside, Environment environment);

// The whole effective configuration as YAML that load_text reads back to an equal Config.
std::string print(const Config& config);

// The same for people: with `***` in place of `admin.token`, which no configuration may have, so that it cannot be
// applied by mistake.
std::string print_without_secrets(Config config);

// The same as `print` with comments that say where the routes were, which load_text reads back.
std::string print_with_places(const Config& config);

// Sorts by file, in the order in which `files` were read, then by place.
void sort(Problems& problems, const std::vector<std::string>& files);

}  // namespace baton::config
