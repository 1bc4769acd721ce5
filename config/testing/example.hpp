// For tests: example.yaml, and the same with every key that it shows.
#pragma once

#include <fstream>
#include <sstream>
#include <string>

namespace baton::config {

inline std::string example() {
  std::stringstream text;
  text << std::ifstream(BATON_EXAMPLE_YAML).rdbuf();
  return text.str();
}

// Whether a comment of the top level is a commented key, or a line below one, and no sentence.
inline bool is_commented_key(const std::string& line) {
  const std::size_t end = line.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", line.find_first_not_of("# "));
  return line.starts_with("# ") && end != std::string::npos && end > 2 && line[end] == ':';
}

// The same with comment lines, which begin with "# ", turned into content. Lines that are still comments were commented
// twice.
inline std::string uncommented(const std::string& yaml) {
  std::istringstream lines(yaml);
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t content = line.find_first_not_of(' ');
    if ((content != 0 || is_commented_key(line)) && content != std::string::npos && line.compare(content, 2, "# ") == 0)
      line.erase(content, 2);
    text += line + "\n";
  }
  return text;
}

inline std::string with_every_key() {
  return uncommented(uncommented(example()));
}

}  // namespace baton::config
