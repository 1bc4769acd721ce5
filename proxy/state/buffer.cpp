#include "proxy/state/buffer.hpp"

#include <array>
#include <new>
#include <stdexcept>

namespace baton::state {

namespace {

// Set when the thread's list has ended: a buffer that is itself a variable of the thread may end after it.
thread_local bool free_list_has_ended = false;

// Free blocks of the usual size. Those of a thread that has ended are freed with it. It needs no memory of its own, for
// a buffer may end because there is none.
struct FreeList {
  std::array<char*, 256> blocks;
  std::size_t count = 0;

  ~FreeList() {
    free_all();
    free_list_has_ended = true;
  }
  void free_all() {
    while (count != 0) ::operator delete(blocks[--count]);
  }
};
thread_local FreeList free_list;

char* take_block(std::size_t bytes) {
  if (bytes == Buffer::block_bytes && !free_list_has_ended && free_list.count != 0) {
    return free_list.blocks[--free_list.count];
  }
  return static_cast<char*>(::operator new(bytes));
}

void give_block(char* block, std::size_t bytes) {
  if (bytes == Buffer::block_bytes && !free_list_has_ended && free_list.count < free_list.blocks.size()) {
    free_list.blocks[free_list.count++] = block;
  } else {
    ::operator delete(block);
  }
}

}  // namespace

bool Buffer::free_spare_blocks() {
  if (free_list_has_ended || free_list.count == 0) return false;
  free_list.free_all();
  return true;
}

void Buffer::clear() {
  if (block_ != nullptr) give_block(block_, capacity_);
  block_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

void Buffer::grow(std::size_t bytes) {
  const std::size_t held = size();
  // There is room once the front is reused. To move much for little room, again and again, would cost more than memory.
  const bool is_worth_it = capacity_ <= block_bytes || begin_ >= held / 5;
  if (block_ != nullptr && capacity_ - held >= bytes && is_worth_it) {
    std::memmove(block_, block_ + begin_, held);
    begin_ = 0;
    end_ = static_cast<std::uint32_t>(held);
    return;
  }
  constexpr std::size_t bytes_max = std::size_t{1} << 31;
  if (bytes > bytes_max - held) throw std::length_error("a buffer over 2 GiB");
  std::size_t wanted = held + bytes;
  wanted = wanted <= block_bytes ? block_bytes : wanted + wanted / 4;
  char* block = take_block(wanted);
  if (held != 0) std::memcpy(block, block_ + begin_, held);
  if (block_ != nullptr) give_block(block_, capacity_);
  block_ = block;
  capacity_ = static_cast<std::uint32_t>(wanted);
  begin_ = 0;
  end_ = static_cast<std::uint32_t>(held);
}

}  // namespace baton::state
