// Memory that several processes map. It is a memfd whose size nobody can change any more, so that reading it never
// fails, whatever another process does; what it holds may still be anything.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "handoff/unique_fd.hpp"

namespace baton::runtime {

class SharedMemory {
 public:
  // Zeroed; takes up room only where it has been touched. Throws std::system_error.
  static SharedMemory create(const char* name, std::size_t bytes);
  // Nothing: `descriptor` is no such memory of this size, or there is no room to map it.
  static std::optional<SharedMemory> attach(handoff::UniqueFd descriptor, std::size_t bytes);

  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  ~SharedMemory();

  std::byte* data() const { return bytes_.data(); }
  int descriptor() const { return descriptor_.get(); }

 private:
  SharedMemory(handoff::UniqueFd descriptor, std::span<std::byte> bytes);

  handoff::UniqueFd descriptor_;
  std::span<std::byte> bytes_;
};

}  // namespace baton::runtime
