// Each configuration in docs/ loads: a block of YAML that begins with `version: 1`.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/load.hpp"
#include "config/testing/documents.hpp"
#include "config/testing/load.hpp"

namespace baton::config {
namespace {

// From a folder of its own, with the files that it includes.
Config loaded(const std::string& yaml) {
  std::string pattern = testing::TempDir() + "baton_documents_XXXXXX";
  const std::filesystem::path folder = mkdtemp(pattern.data());
  std::string placed = yaml;
  const std::string named = "/srv/shop/baton.yaml";
  if (const std::size_t at = placed.find(named); at != std::string::npos) placed.replace(at, named.size(), "shop.yaml");
  std::ofstream(folder / "shop.yaml") << "";
  std::ofstream(folder / "baton.yaml") << placed;
  auto result = load_file(folder / "baton.yaml", test_environment);
  std::filesystem::remove_all(folder);
  if (auto* config = std::get_if<Config>(&result)) return std::move(*config);
  for (const Problem& problem : std::get<Problems>(result)) ADD_FAILURE() << problem.text();
  return {};
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
