#include "proxy/state/memory.hpp"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <new>
#include <stdexcept>
#include <utility>

namespace baton::state {

namespace memory {

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool has_address_sanitizer = true;
#elif defined(__has_feature)
constexpr bool has_address_sanitizer = __has_feature(address_sanitizer);
#else
constexpr bool has_address_sanitizer = false;
#endif

// ── The system ────────────────────────────────────────────────────────────────────────────────────────────────────

// A slab is slightly smaller than its alignment. The heap puts a header before it, which places slabs side by side, and
// the request stays below the 128 KiB at which the heap would map each one by itself, with pages around it: 16 bytes
// more would reach them.
constexpr std::size_t slab_alignment = 64 * 1024;
constexpr std::size_t slab_bytes = slab_alignment - 80;
constexpr std::size_t block_alignment = step_bytes;

void* take_from_heap(std::size_t bytes, std::size_t alignment) {
  void* memory = nullptr;
  return ::posix_memalign(&memory, alignment, bytes) == 0 ? memory : nullptr;
}

// The heap keeps memory that lies between blocks in use, so a slab's pages are returned to the system first. Its first
// page will hold the heap's own links.
void give_to_heap(void* memory, std::size_t bytes) noexcept {
  constexpr std::size_t page_bytes = 4096;
  if (bytes == slab_bytes) {
    ::madvise(static_cast<char*>(memory) + page_bytes, slab_alignment - 2 * page_bytes, MADV_DONTNEED);
  }
  std::free(memory);
}

void* take_by_new(std::size_t bytes, std::size_t) {
  return ::operator new(bytes);
}
void give_by_delete(void* memory, std::size_t) noexcept {
  ::operator delete(memory);
}

constinit Source source =
    has_address_sanitizer ? Source{take_by_new, give_by_delete, true} : Source{take_from_heap, give_to_heap, false};

constinit std::atomic<bool> is_in_use = false;  // something was allocated

// If there is no more memory, this thread's spare memory is freed first.
void* take_from_source(std::size_t bytes, std::size_t alignment) {
  is_in_use.store(true, std::memory_order_relaxed);
  for (;;) {
    if (void* const memory = source.take(bytes, alignment)) return memory;
    if (!free_spare_memory()) throw std::bad_alloc();
  }
}

// ── Slabs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

// The header of a slab of blocks of one size, at the slab's beginning.
struct alignas(64) Slab {
  std::uint32_t index;      // of the size
  std::uint32_t used = 0;   // blocks that are not in it: in use, or in a thread's list
  std::uint32_t untouched;  // where the blocks that were never taken begin
  FreeBlock* free = nullptr;
  Slab* previous = nullptr;  // among those with a free block
  Slab* next = nullptr;
};

constexpr std::size_t bytes_of(std::size_t index) {
  return (index + 1) * step_bytes;
}

Slab* slab_of(void* block) {
  return reinterpret_cast<Slab*>(reinterpret_cast<std::uintptr_t>(block) & ~(slab_alignment - 1));
}

// The state that all threads share.
class Slabs {
 public:
  // A chain of up to `wanted` blocks, at least one.
  FreeBlock* take(std::size_t index, std::uint32_t wanted, std::uint32_t& taken) {
    void* fresh = nullptr;
    std::unique_lock lock(mutex_);
    if (with_room_[index] == nullptr) {
      fresh = std::exchange(spare_, nullptr);
      if (fresh == nullptr) {
        lock.unlock();
        fresh = take_from_source(slab_bytes, slab_alignment);
        lock.lock();
      }
      link(*new (fresh) Slab{.index = static_cast<std::uint32_t>(index), .untouched = sizeof(Slab)});
    }
    FreeBlock* chain = nullptr;
    for (taken = 0; taken < wanted && with_room_[index] != nullptr; ++taken) {
      FreeBlock* const block = take_one(*with_room_[index]);
      block->next = chain;
      chain = block;
    }
    return chain;
  }

  void give(FreeBlock* chain) noexcept {
    Slab* empty = nullptr;
    {
      const std::lock_guard lock(mutex_);
      while (chain != nullptr) {
        Slab& slab = give_one(*std::exchange(chain, chain->next));
        if (slab.used == 0 && !keep_as_spare(slab)) slab.next = std::exchange(empty, &slab);
      }
    }
    while (empty != nullptr) source.give(std::exchange(empty, empty->next), slab_bytes);
  }

  bool free_spare() noexcept {
    std::unique_lock lock(mutex_);
    void* const spare = std::exchange(spare_, nullptr);
    lock.unlock();
    if (spare != nullptr) source.give(spare, slab_bytes);
    return spare != nullptr;
  }

 private:
  FreeBlock* take_one(Slab& slab) {
    FreeBlock* block = slab.free;
    if (block != nullptr) {
      slab.free = block->next;
    } else {
      block = reinterpret_cast<FreeBlock*>(reinterpret_cast<char*>(&slab) + slab.untouched);
      slab.untouched += static_cast<std::uint32_t>(bytes_of(slab.index));
    }
    ++slab.used;
    if (!has_room(slab)) unlink(slab);
    return block;
  }

  Slab& give_one(FreeBlock& block) noexcept {
    Slab& slab = *slab_of(&block);
    if (!has_room(slab)) link(slab);
    block.next = slab.free;
    slab.free = &block;
    if (--slab.used == 0) unlink(slab);
    return slab;
  }
  // At most one empty slab is kept, for whichever size needs a slab next.
  bool keep_as_spare(Slab& slab) noexcept {
    if (spare_ != nullptr) return false;
    spare_ = &slab;
    return true;
  }

  static bool has_room(const Slab& slab) {
    return slab.free != nullptr || slab.untouched + bytes_of(slab.index) <= slab_bytes;
  }
  void link(Slab& slab) {
    Slab*& first = with_room_[slab.index];
    slab.previous = nullptr;
    slab.next = first;
    if (first != nullptr) first->previous = &slab;
    first = &slab;
  }
  void unlink(Slab& slab) {
    (slab.previous != nullptr ? slab.previous->next : with_room_[slab.index]) = slab.next;
    if (slab.next != nullptr) slab.next->previous = slab.previous;
  }

  std::mutex mutex_;
  std::array<Slab*, small_sizes> with_room_{};
  void* spare_ = nullptr;
};
constinit Slabs slabs;

// ── A thread's lists ──────────────────────────────────────────────────────────────────────────────────────────────

// How much of a size is exchanged with the slabs at a time. A list has room for twice that.
constexpr std::size_t batch_bytes = 8 * 1024;
constexpr std::uint32_t batch_max = 64;
constexpr std::uint32_t buffer_blocks_kept = 256;

constexpr std::uint32_t batch_of(std::size_t index) {
  return static_cast<std::uint32_t>(std::min<std::size_t>(batch_bytes / bytes_of(index), batch_max));
}

enum class Stage : std::uint8_t { before, during, after };
constinit thread_local Stage stage = Stage::before;

// Returns the list's blocks to their source, which leaves room for as many. False: it was empty.
bool empty_list(std::size_t index) noexcept {
  FreeList& list = free_lists[index];
  FreeBlock* chain = std::exchange(list.first, nullptr);
  if (chain == nullptr) return false;
  for (FreeBlock* block = chain; block != nullptr; block = block->next) ++list.room;
  if (index != of_buffers) {
    slabs.give(chain);
  } else {
    while (chain != nullptr) source.give(std::exchange(chain, chain->next), buffer_block_bytes);
  }
  return true;
}

void end_lists(void*) noexcept {
  for (std::size_t index = 0; index < free_lists.size(); ++index) empty_list(index);
  free_lists = {};
  stage = Stage::after;  // destructors that run later in this thread may still free
}

// Ends a thread's lists with the thread. A thread_local's destructor would not do: glibc ends the process if there is
// no memory to register one.
class ThreadsEnd {
 public:
  ThreadsEnd() : is_there_(::pthread_key_create(&key_, end_lists) == 0) {}
  bool register_thread() const { return is_there_ && ::pthread_setspecific(key_, this) == 0; }

 private:
  pthread_key_t key_{};
  bool is_there_;
};
const ThreadsEnd threads_end;

void begin_lists() {
  if (!threads_end.register_thread()) return;
  for (std::size_t index = 0; index < small_sizes; ++index) free_lists[index].room = 2 * batch_of(index);
  free_lists[of_buffers].room = buffer_blocks_kept;
  stage = Stage::during;
}

bool keeps_lists() {
  if (stage == Stage::before && !source.each_block) begin_lists();
  return stage == Stage::during;
}

}  // namespace

// Called when the list is empty, or does not exist.
void* take(std::size_t bytes) {
  const std::size_t index = list_of(bytes);
  if (source.each_block || index >= of_buffers) return take_from_source(bytes, block_alignment);
  std::uint32_t taken = 0;
  FreeBlock* const block = slabs.take(index, keeps_lists() ? batch_of(index) : 1, taken);
  free_lists[index].first = block->next;
  free_lists[index].room -= taken - 1;
  return block;
}

// Called when the list is full, or does not exist.
void give(void* memory, std::size_t bytes) noexcept {
  const std::size_t index = list_of(bytes);
  if (source.each_block || index == large) return source.give(memory, bytes);
  if (!keeps_lists()) {
    if (index == of_buffers) return source.give(memory, bytes);
    auto* const block = static_cast<FreeBlock*>(memory);
    block->next = nullptr;
    return slabs.give(block);
  }
  FreeList& list = free_lists[index];
  if (list.room == 0) {
    if (index == of_buffers) return source.give(memory, bytes);
    // Half of the list is enough to keep.
    FreeBlock* last = list.first;
    for (std::uint32_t kept = 1; kept < batch_of(index); ++kept) last = last->next;
    slabs.give(std::exchange(last->next, nullptr));
    list.room = batch_of(index);
  }
  deallocate(memory, bytes);
}

void set_source(const Source& replacement) {
  if (is_in_use) throw std::logic_error("memory of states is in use already");
  source = replacement;
}

Source each_block_by_new() {
  return {take_by_new, give_by_delete, true};
}

}  // namespace memory

bool free_spare_memory() {
  bool were_some = false;
  for (std::size_t index = 0; index < memory::free_lists.size(); ++index) were_some |= memory::empty_list(index);
  return memory::slabs.free_spare() || were_some;
}

}  // namespace baton::state
