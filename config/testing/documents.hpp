// For tests: the configurations in a document.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace baton::config {

// Its blocks of YAML that begin with `version: 1`.
inline std::vector<std::string> configurations_in(const std::filesystem::path& document) {
  std::ifstream lines(document);
  std::vector<std::string> found;
  bool is_inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      is_inside = line == "```yaml";
      if (is_inside) found.emplace_back();
    } else if (is_inside) {
      found.back() += line + "\n";
    }
  }
  std::erase_if(found, [](const std::string& yaml) { return !yaml.starts_with("version: 1\n"); });
  return found;
}

}  // namespace baton::config
