// A sequence that a state owns.
#pragma once

#include <cstddef>
#include <vector>

#include "proxy/state/memory.hpp"

namespace baton::state {

template <class Value>
struct ListMemory {
  using value_type = Value;
  ListMemory() = default;
  template <class Other>
  ListMemory(const ListMemory<Other>&) {}
  Value* allocate(std::size_t count) { return static_cast<Value*>(state::allocate(count * sizeof(Value))); }
  void deallocate(Value* memory, std::size_t count) noexcept { state::deallocate(memory, count * sizeof(Value)); }
  template <class Other>
  bool operator==(const ListMemory<Other>&) const {
    return true;
  }
};

template <class Value>
using List = std::vector<Value, ListMemory<Value>>;

}  // namespace baton::state
