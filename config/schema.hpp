// Every key of a configuration and what may stand under it. An entry is checked alone here; what concerns several of
// them at once is `load.cpp`'s.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/claims.hpp"
#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

// A listener that is still to be checked beside the other listeners and the upstreams.
struct ListenerDraft {
  Listener listener;
  std::vector<Claim> claims;                          // what it binds, in the order of the file
  std::optional<Protocol> protocol = Protocol::http;  // nothing: unknown, and reported as such
  std::optional<Position> upstream;                   // where its upstream is named; nothing: nowhere
};

// A configuration that is still to be checked as a whole. Its listeners are not yet part of `config`.
struct Draft {
  Config config;
  std::vector<ListenerDraft> listeners;
};

Draft read_draft(Reader& reader, const Node& root);

// All that `read_draft` knows, so that the example can be held against it.
std::vector<KnownKey> known_keys();

}  // namespace baton::config
