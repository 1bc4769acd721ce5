// Each configuration in docs/ loads: a block of YAML that begins with `version: 1`.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "config/load.hpp"
#include "config/testing/load.hpp"

namespace baton::config {
namespace {

std::vector<std::string> configurations_in(const std::filesystem::path& document) {
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

TEST(Documents, TheirConfigurationsLoad) {
  std::size_t documents_with_one = 0;
  for (const auto& entry : std::filesystem::directory_iterator(BATON_DOCUMENTS)) {
    if (entry.path().extension() != ".md") continue;
    const auto configurations = configurations_in(entry.path());
    for (const std::string& yaml : configurations) {
      SCOPED_TRACE(entry.path().filename());
      const Config config = loaded(yaml);
      EXPECT_EQ(config_of(print(config)), config);
    }
    if (!configurations.empty()) ++documents_with_one;
  }
  EXPECT_GE(documents_with_one, 1u);
}

}  // namespace
}  // namespace baton::config
