// Finds the pairs of certificate and key in the folders that a configuration names. A pair is fullchain.pem and
// privkey.pem, as certbot has them, or NAME.crt or NAME.pem with NAME.key. Files whose names begin with a dot are
// passed over: Kubernetes keeps the content of a mounted secret in folders with such names.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace baton::tls {

struct FoundPairs {
  std::vector<config::Certificate> pairs;  // each once
  std::vector<config::File> without;       // folders without a pair, and patterns that no folder matches
  struct Unreadable {
    config::File folder;
    int error = 0;
  };
  std::vector<Unreadable> unreadable;
};

// In the order of `folders`; what one of them names is sorted by path. Opens no file.
FoundPairs find_pairs(const std::vector<config::File>& folders);

}  // namespace baton::tls
