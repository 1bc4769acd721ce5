#include "translations/page.hpp"

#include <filesystem>
#include <sstream>

#include "harness/deadline.hpp"
#include "harness/temp_dir.hpp"

namespace baton::harness {

void PrintTo(const Pair& pair, std::ostream* out) {
  *out << pair.heading;
}

std::vector<Pair> pairs_on(const std::string& page) {
  const std::string text = read_file((std::filesystem::path(DOCUMENTS) / page).string());
  std::istringstream lines(text.substr(std::min(text.size(), text.find("\n## Pairs"))));
  std::vector<Pair> pairs;
  std::string* block = nullptr;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      if (block != nullptr || pairs.empty()) {
        block = nullptr;
      } else {
        block = line == "```yaml" ? &pairs.back().baton : &pairs.back().original;
      }
    } else if (block != nullptr) {
      *block += line + "\n";
    } else if (line.starts_with("### ")) {
      pairs.push_back({line.substr(4), "", ""});
    }
  }
  if (pairs.empty()) throw Failure("no pairs on " + page);
  for (const Pair& pair : pairs)
    if (pair.original.empty() || pair.baton.empty()) throw Failure(pair.heading + " has no pair on " + page);
  return pairs;
}

}  // namespace baton::harness
