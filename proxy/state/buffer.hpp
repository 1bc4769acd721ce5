// A byte queue: taken from the front, added at the back. An empty buffer holds no memory, so an idle connection costs
// none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "proxy/state/memory.hpp"

namespace baton::state {

class Buffer {
 public:
  // The usual block size. Larger blocks are allocated only for what does not fit.
  static constexpr std::size_t block_bytes = buffer_block_bytes;

  Buffer() = default;
  Buffer(const Buffer& other) { append(other.view()); }
  Buffer(Buffer&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)),
        begin_(std::exchange(other.begin_, 0)),
        end_(std::exchange(other.end_, 0)) {}
  Buffer& operator=(Buffer other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() { clear(); }

  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  const char* data() const { return block_ + begin_; }
  std::string_view view() const { return {data(), size()}; }

  // Memory for at least `bytes` more, valid until the next call; `commit` says how many were written. An empty buffer
  // gets `room()` bytes, at least a block.
  char* prepare(std::size_t bytes) {
    if (capacity_ - end_ < bytes) grow(bytes);
    return block_ + end_;
  }
  // How many bytes may be written after `prepare`.
  std::size_t room() const { return capacity_ - end_; }
  void commit(std::size_t bytes) {
    end_ += static_cast<std::uint32_t>(bytes);
    if (begin_ == end_) clear();      // nothing was written: hold no memory
  }

  // The queue with `guard` behind it, which does not become a part of it; empty if there is no room for that.
  std::string_view view_with(std::string_view guard) {
    if (room() < guard.size()) return {};
    std::memcpy(block_ + end_, guard.data(), guard.size());
    return {data(), size() + guard.size()};
  }

  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(prepare(bytes.size()), bytes.data(), bytes.size());
    end_ += static_cast<std::uint32_t>(bytes.size());
  }

  // The same for an empty buffer, in hardly more memory than they need: they may stay for long.
  void hold(std::string_view bytes) {
    if (bytes.empty()) return;
    prepare_exactly(bytes.size());
    append(bytes);
  }

  // Drops bytes from the front; at most size().
  void consume(std::size_t bytes) {
    begin_ += static_cast<std::uint32_t>(std::min(bytes, size()));
    if (begin_ == end_) clear();
  }

  void clear() {
    if (block_ != nullptr) let_go();
  }

  // Moves the first `bytes` to the end of `to`. Nothing is copied if all of it moves and `to` is empty.
  void move_to(Buffer& to, std::size_t bytes) {
    if (bytes == size() && to.empty()) {
      to.swap(*this);
      clear();
    } else {
      to.append(view().substr(0, bytes));
      consume(bytes);
    }
  }

  void swap(Buffer& other) noexcept {
    std::swap(block_, other.block_);
    std::swap(capacity_, other.capacity_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
  }

  bool operator==(const Buffer& other) const { return view() == other.view(); }

 private:
  void grow(std::size_t bytes);
  [[gnu::noinline]] void grow_on(std::size_t bytes);
  void prepare_exactly(std::size_t bytes);
  void let_go();

  char* block_ = nullptr;
  std::uint32_t capacity_ = 0;
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
};

}  // namespace baton::state
