#include "proxy/state/buffer.hpp"

#include <new>
#include <stdexcept>
#include <vector>

namespace baton::state {

namespace {

// Set when the thread's list has ended: a buffer that is itself a variable of the thread may end after it.
thread_local bool free_list_has_ended = false;

// Free blocks of the usual size. Those of a thread that has ended are freed with it.
struct FreeList {
  static constexpr std::size_t blocks_max = 256;
  std::vector<char*> blocks;

  FreeList() { blocks.reserve(blocks_max); }
  ~FreeList() {
    for (char* block : blocks) ::operator delete(block);
    free_list_has_ended = true;
  }
};

std::vector<char*>& free_blocks() {
  thread_local FreeList list;
  return list.blocks;
}

char* take_block(std::size_t bytes) {
  if (bytes == Buffer::block_bytes && !free_list_has_ended && !free_blocks().empty()) {
    char* block = free_blocks().back();
    free_blocks().pop_back();
    return block;
  }
  return static_cast<char*>(::operator new(bytes));
}

void give_block(char* block, std::size_t bytes) {
  if (bytes == Buffer::block_bytes && !free_list_has_ended && free_blocks().size() < FreeList::blocks_max) {
    free_blocks().push_back(block);
  } else {
    ::operator delete(block);
  }
}

}  // namespace

void Buffer::clear() {
  if (block_ != nullptr) give_block(block_, capacity_);
  block_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

void Buffer::grow(std::size_t bytes) {
  const std::size_t held = size();
  if (block_ != nullptr && capacity_ - held >= bytes) {      // there is room once the front is reused
    std::memmove(block_, block_ + begin_, held);
    begin_ = 0;
    end_ = static_cast<std::uint32_t>(held);
    return;
  }
  constexpr std::size_t bytes_max = std::size_t{1} << 31;
  if (bytes > bytes_max - held) throw std::length_error("a buffer over 2 GiB");
  std::size_t wanted = block_bytes;
  while (wanted < held + bytes) wanted *= 2;
  char* block = take_block(wanted);
  if (held != 0) std::memcpy(block, block_ + begin_, held);
  if (block_ != nullptr) give_block(block_, capacity_);
  block_ = block;
  capacity_ = static_cast<std::uint32_t>(wanted);
  begin_ = 0;
  end_ = static_cast<std::uint32_t>(held);
}

}  // namespace baton::state
