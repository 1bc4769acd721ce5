// Random bytes of the kernel, fetched many at a time. One for each thread.
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace baton::http1 {

class RandomBytes {
 public:
  void fill(std::span<unsigned char> out);

 private:
  void refill();

  std::array<unsigned char, 512> bytes_;
  std::size_t used_ = bytes_.size();
};

}  // namespace baton::http1
