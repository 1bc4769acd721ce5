// What a request says about the server that it should go to.
#pragma once

#include <cstdint>

namespace baton::upstream {

struct Affinity {
  std::uint64_t hash = 0;    // of what `balance: hash` looks at; 0: the request lacks it
  std::uint64_t sticky = 0;  // the Server::tag in its sticky cookie; 0: none
};

}  // namespace baton::upstream
