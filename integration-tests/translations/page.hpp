// The pairs of snippets on a page such as docs/coming-from-nginx.md: below the heading "Pairs", each `###` heading has
// a block of the original's configuration and then one of Baton's.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace baton::harness {

struct Pair {
  std::string heading;
  std::string original;
  std::string baton;
};
void PrintTo(const Pair& pair, std::ostream* out);

// Throws Failure if a heading has no pair.
std::vector<Pair> pairs_on(const std::string& page);

}  // namespace baton::harness
