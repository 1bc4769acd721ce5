// Every key of a configuration and what may stand under it. Values are checked alone here; what concerns several of
// them at once is `load.cpp`'s.
#pragma once

#include <string>
#include <vector>

#include "config/claims.hpp"
#include "config/config.hpp"
#include "config/reader.hpp"

namespace baton::config {

// A configuration that is still to be checked as a whole.
struct Draft {
  Config config;
  std::vector<Claim> claims;  // what the listeners bind, in the order of the file
};

Draft read_draft(Reader& reader, const Node& root);

struct KnownKey {
  std::string path;  // "listeners.bind"
  bool supported;    // false: of a later version, refused by name
};

// All that `read_draft` knows, so that the example can be held against it.
std::vector<KnownKey> known_keys();

}  // namespace baton::config
