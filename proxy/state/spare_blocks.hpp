// Memory of one size that this thread has freed, for the next value of that size. It is freed when the thread ends. It
// needs no memory of its own, because a value may end for lack of it.
#pragma once

#include <array>
#include <cstddef>
#include <new>

namespace baton::state {

template <std::size_t bytes, std::size_t kept>
class SpareBlocks {
 public:
  static void* take() { return list_.count != 0 ? list_.blocks[--list_.count] : ::operator new(bytes); }
  static void give(void* block) {
    if (!has_ended_ && list_.count < kept) {
      list_.blocks[list_.count++] = block;
    } else {
      ::operator delete(block);
    }
  }
  // False: there were none.
  static bool free_all() {
    const bool were_some = list_.count != 0;
    while (list_.count != 0) ::operator delete(list_.blocks[--list_.count]);
    return were_some;
  }

 private:
  struct List {
    std::array<void*, kept> blocks;
    std::size_t count = 0;

    ~List() {
      free_all();
      has_ended_ = true;      // a thread_local value may end later
    }
  };
  static inline thread_local bool has_ended_ = false;
  static inline thread_local List list_;
};

}  // namespace baton::state
