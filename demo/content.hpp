// Bytes without end that both sides of a stream can compute: each position of each stream has its own, so what was
// lost, doubled, reordered or altered on the way differs from what should be there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace baton::demo {

class Content {
 public:
  explicit Content(std::string_view stream);

  // `bytes` bytes from `offset` on.
  std::string at(std::uint64_t offset, std::size_t bytes) const;

  bool matches(std::uint64_t offset, std::string_view bytes) const { return at(offset, bytes.size()) == bytes; }

 private:
  std::uint64_t seed_;
};

// A sum over bytes in their order, the same in every build (FNV-1a, 64 bits).
class Digest {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) value_ = (value_ ^ static_cast<unsigned char>(byte)) * 1099511628211u;
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 14695981039346656037u;
};

// What the origin answers to an upload that it has received whole.
std::string upload_receipt(std::uint64_t bytes, const Digest& digest);

}  // namespace baton::demo
