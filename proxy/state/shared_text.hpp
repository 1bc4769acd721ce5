// A text that the states of several connections share, and that is allocated where they are.
#pragma once

#include <memory>
#include <string_view>

#include "proxy/state/list.hpp"
#include "proxy/state/string.hpp"

namespace baton::state {

using SharedText = std::shared_ptr<const String>;

inline SharedText share(std::string_view text) {
  return std::allocate_shared<const String>(ListMemory<String>(), text);
}

}  // namespace baton::state
