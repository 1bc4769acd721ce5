// Shared memory as a table of cache lines with eight words each, chosen by a keyed hash. It begins with a page that
// holds the key, so that all processes find the same.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "proxy/runtime/keyed_hash.hpp"
#include "proxy/runtime/shared_memory.hpp"

namespace baton::rates {

using Word = std::atomic_ref<std::uint64_t>;
static_assert(Word::is_always_lock_free);

inline constexpr std::size_t words_per_line = 8;
// As much as other processes contend for one word; a bound, so that nobody can keep a worker busy.
inline constexpr int attempts_max = 1000;

class HashedLines {
 public:
  // `layout` names everything that processes must agree on. Throws std::system_error.
  static HashedLines create(const char* name, std::uint64_t layout, std::size_t lines) {
    HashedLines made(runtime::SharedMemory::create(name, bytes_of(lines)), lines);
    const Header header{layout, runtime::HashKey::random().bytes};
    std::memcpy(made.memory_.data(), &header, sizeof header);
    made.key_.bytes = header.key;
    return made;
  }
  // nullptr: it is none with that layout and size.
  static std::unique_ptr<HashedLines> attach(handoff::UniqueFd descriptor, std::uint64_t layout, std::size_t lines) {
    auto memory = runtime::SharedMemory::attach(std::move(descriptor), bytes_of(lines));
    if (!memory) return nullptr;
    Header header;
    std::memcpy(&header, memory->data(), sizeof header);
    if (header.layout != layout) return nullptr;
    auto attached = std::make_unique<HashedLines>(HashedLines(*std::move(memory), lines));
    attached->key_.bytes = header.key;
    return attached;
  }

  int descriptor() const { return memory_.descriptor(); }

  // Under another `salt`, the same text has another hash.
  std::uint64_t hash(std::string_view text, std::uint64_t salt = 0) const {
    runtime::HashKey key = key_;
    for (std::size_t i = 0; i < sizeof salt; ++i) key.bytes[i] ^= static_cast<std::uint8_t>(salt >> (8 * i));
    return runtime::keyed_hash(key, text);
  }
  // By the lowest bits of the hash.
  std::uint64_t* line(std::uint64_t hash) const {
    return reinterpret_cast<std::uint64_t*>(memory_.data() + header_bytes) + hash % lines_ * words_per_line;
  }

  static constexpr std::size_t header_bytes = 4096;
  static constexpr std::size_t bytes_of(std::size_t lines) {
    return header_bytes + lines * words_per_line * sizeof(std::uint64_t);
  }

 private:
  struct Header {
    std::uint64_t layout;
    std::array<std::uint8_t, 16> key;
  };

  HashedLines(runtime::SharedMemory memory, std::size_t lines) : memory_(std::move(memory)), lines_(lines) {}

  runtime::SharedMemory memory_;
  std::size_t lines_;
  runtime::HashKey key_;
};

}  // namespace baton::rates
