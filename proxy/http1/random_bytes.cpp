#include "proxy/http1/random_bytes.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace baton::http1 {

void RandomBytes::fill(std::span<unsigned char> out) {
  for (unsigned char& byte : out) {
    if (used_ == bytes_.size()) refill();
    byte = bytes_[used_++];
  }
}

// Up to 256 bytes the kernel neither fails nor returns fewer, once it has entropy.
void RandomBytes::refill() {
  constexpr std::size_t at_once = 256;
  for (std::size_t at = 0; at < bytes_.size(); at += at_once) {
    while (::getrandom(bytes_.data() + at, std::min(at_once, bytes_.size() - at), 0) < 0) {
      if (errno != EINTR) std::abort();
    }
  }
  used_ = 0;
}

}  // namespace baton::http1
