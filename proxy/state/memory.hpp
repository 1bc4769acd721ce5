// The one place that allocates everything a state owns: the blocks of its buffers, its texts and its boxes.
//
// A thread takes blocks from free lists of its own, one for each size, and frees them to these lists, without a lock.
// It may free blocks that another thread has taken: memory belongs to no thread. A list that runs empty or full takes
// or returns a batch of blocks from the slabs, which all threads share under a lock. A slab without a block in use
// returns to the system.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace baton::state {

// The usual block of a Buffer: 32 KiB plus the overhead of two full TLS records.
inline constexpr std::size_t buffer_block_bytes = 32 * 1024 + 128;

namespace memory {

// Each size up to `small_bytes_max`, in steps, has a free list, and so has the usual block of a Buffer. Everything else
// is large and comes from the system each time.
inline constexpr std::size_t step_bytes = 16;
inline constexpr std::size_t small_bytes_max = 1024;
inline constexpr std::size_t small_sizes = small_bytes_max / step_bytes;
inline constexpr std::size_t of_buffers = small_sizes;  // the index of their list
inline constexpr std::size_t large = small_sizes + 1;   // no list has this index

constexpr std::size_t list_of(std::size_t bytes) {
  if (bytes <= small_bytes_max) return bytes == 0 ? 0 : (bytes - 1) / step_bytes;
  return bytes == buffer_block_bytes ? of_buffers : large;
}

struct FreeBlock {
  FreeBlock* next;
};
struct FreeList {
  FreeBlock* first = nullptr;
  std::uint32_t room = 0;  // how many more it may keep
};
// Zero before the thread's first allocation and after its end: then each call takes the slow way, `take` and `give`.
inline constinit thread_local std::array<FreeList, small_sizes + 1> free_lists{};

void* take(std::size_t bytes);
void give(void* block, std::size_t bytes) noexcept;

}  // namespace memory

// For values without alignment beyond 16. Throws std::bad_alloc.
inline void* allocate(std::size_t bytes) {
  const std::size_t index = memory::list_of(bytes);
  if (index == memory::large) return memory::take(bytes);
  memory::FreeList& list = memory::free_lists[index];
  memory::FreeBlock* const block = list.first;
  if (block == nullptr) [[unlikely]]
    return memory::take(bytes);
  list.first = block->next;
  ++list.room;
  return block;
}

// `bytes` as in the call of `allocate`.
inline void deallocate(void* memory, std::size_t bytes) noexcept {
  const std::size_t index = memory::list_of(bytes);
  if (index == memory::large) return memory::give(memory, bytes);
  memory::FreeList& list = memory::free_lists[index];
  if (list.room == 0) [[unlikely]]
    return memory::give(memory, bytes);
  --list.room;
  auto* const block = static_cast<memory::FreeBlock*>(memory);
  block->next = list.first;
  list.first = block;
}

// Frees the memory that this thread keeps for later use. False: there was none.
bool free_spare_memory();

// Objects of a class derived from this are allocated here.
struct Allocated {
  static void* operator new(std::size_t bytes) { return allocate(bytes); }
  static void operator delete(void* memory, std::size_t bytes) { deallocate(memory, bytes); }
};

namespace memory {

// The source of slabs and large blocks. `take` returns nullptr, or throws std::bad_alloc, if there is no memory.
struct Source {
  void* (*take)(std::size_t bytes, std::size_t alignment) = nullptr;
  void (*give)(void* memory, std::size_t bytes) noexcept = nullptr;
  bool each_block = false;  // every block comes from here by itself, and nothing is kept
};

// Replaces the source; only before the first allocation. The default is the heap; under the address sanitizer it is
// `each_block_by_new`, so that the sanitizer knows each block's bounds and finds its leaks.
void set_source(const Source& source);

// Operator new for each block: for tests that replace it to watch or to fail every allocation.
Source each_block_by_new();

}  // namespace memory

}  // namespace baton::state
