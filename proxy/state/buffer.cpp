#include "proxy/state/buffer.hpp"

#include <stdexcept>

#include "proxy/state/memory.hpp"

namespace baton::state {

void Buffer::let_go() {
  if (capacity_ == block_bytes) [[likely]]
    deallocate(block_, block_bytes);
  else
    deallocate(block_, capacity_);
  block_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

void Buffer::grow(std::size_t bytes) {
  if (block_ == nullptr && bytes <= block_bytes) {
    block_ = static_cast<char*>(allocate(block_bytes));
    capacity_ = block_bytes;
    return;
  }
  grow_on(bytes);
}

// Apart, so that the first block, which nearly every buffer is content with, costs no more than taking it.
void Buffer::grow_on(std::size_t bytes) {
  const std::size_t held = size();
  // There is room once the front is reused. Often moving many bytes for little room would cost more than memory.
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
  char* const block = static_cast<char*>(allocate(wanted));
  if (held != 0) std::memcpy(block, block_ + begin_, held);
  if (block_ != nullptr) deallocate(block_, capacity_);
  block_ = block;
  capacity_ = static_cast<std::uint32_t>(wanted);
  begin_ = 0;
  end_ = static_cast<std::uint32_t>(held);
}

void Buffer::prepare_exactly(std::size_t bytes) {
  if (block_ != nullptr || bytes >= block_bytes) return;
  block_ = static_cast<char*>(allocate(bytes));
  capacity_ = static_cast<std::uint32_t>(bytes);
}

}  // namespace baton::state
