// Every key of a configuration and its allowed values. Entries are checked one by one here; `load.cpp` checks what
// concerns several of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/claims.hpp"
#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

// A listener still to be checked against the other listeners and the upstreams.
struct ListenerDraft {
  Listener listener;
  std::vector<Claim> claims;                          // what it binds, in file order
  std::optional<Protocol> protocol = Protocol::http;  // nothing: unknown, which has been reported
  std::optional<Position> upstream;                   // where its upstream is named, if it is
  std::optional<Position> routes;                     // the same for its own routes
  std::optional<Position> access;                     // and for its access
};

// A configuration still to be checked as a whole. Its listeners are not in `config` yet.
struct Draft {
  Config config;
  std::vector<ListenerDraft> listeners;
};

Draft read_draft(Reader& reader, const Node& root);

// Every key `read_draft` knows, for comparison with the example.
std::vector<KnownKey> known_keys();

}  // namespace baton::config
