// Each configuration in docs/ loads: a block of YAML that begins with `version: 1`; and docs/ explain every key.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "config/load.hpp"
#include "config/schema.hpp"
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
  for (const auto& entry : std::filesystem::recursive_directory_iterator(BATON_DOCUMENTS)) {
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

// What a page explains: the words in code in its headings and in the first column of its tables, and the keys of
// mappings in its tables (`{ cert: FILE, key: FILE }`).
std::set<std::string> words_explained_in(const std::string& page) {
  std::set<std::string> words;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    const bool is_row = line.starts_with('|');
    if (!is_row && !line.starts_with('#')) continue;
    const std::string first = is_row ? line.substr(0, line.find('|', 1)) : line;
    static const std::regex code("`([^`]+)`"), word("[a-z0-9_]+"), key("([a-z0-9_]+): ");
    const auto add = [&words](const std::string& text, const std::regex& what, std::size_t group) {
      for (std::sregex_iterator one(text.begin(), text.end(), what); one != std::sregex_iterator(); ++one) {
        words.insert((*one)[group]);
      }
    };
    for (std::sregex_iterator one(first.begin(), first.end(), code); one != std::sregex_iterator(); ++one) {
      add((*one)[1], word, 0);
    }
    if (is_row) add(line, key, 1);
  }
  return words;
}

// configuration.md and the pages that it links.
std::vector<std::string> pages_of_keys() {
  const auto read = [](const std::string& name) {
    std::ifstream file(std::string(BATON_DOCUMENTS) + "/" + name);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  std::vector<std::string> pages{read("configuration.md")};
  std::set<std::string> names;
  static const std::regex link("\\]\\(([a-z-]+\\.md)");
  const std::string main = pages.front();
  for (std::sregex_iterator one(main.begin(), main.end(), link); one != std::sregex_iterator(); ++one) {
    if (names.insert((*one)[1]).second) pages.push_back(read((*one)[1]));
  }
  return pages;
}

TEST(Documents, ExplainEveryKeyOnAPageThatNamesItsSection) {
  const std::vector<std::string> pages = pages_of_keys();
  ASSERT_GT(pages.size(), 5u);
  std::size_t keys = 0;
  for (const KnownKey& known : known_keys()) {
    const std::size_t dot = known.path.rfind('.');
    const std::string key = known.path.substr(dot + 1);
    const std::string above = dot == std::string::npos ? "" : known.path.substr(0, dot);
    const std::string section = above.substr(above.rfind('.') + 1);
    const bool is_explained = std::ranges::any_of(pages, [&](const std::string& page) {
      return page.find(section) != std::string::npos && words_explained_in(page).contains(key);
    });
    EXPECT_TRUE(is_explained) << known.path;
    ++keys;
  }
  EXPECT_GT(keys, 150u);
}

}  // namespace
}  // namespace baton::config
