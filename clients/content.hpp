// Endless bytes that both sides of a stream can compute, so that lost, doubled, reordered or altered data differs from
// the expected bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace baton::clients {

// Bytes that depend on the stream and the position.
class Content {
 public:
  explicit Content(std::string_view stream);

  // `bytes` bytes from `offset` on.
  std::string at(std::uint64_t offset, std::size_t bytes) const;

  bool matches(std::uint64_t offset, std::string_view bytes) const { return at(offset, bytes.size()) == bytes; }

 private:
  std::uint64_t seed_;
};

// The first `bytes` bytes of one unnamed stream: readable letters that depend on the position only. They are readable
// when a test of one connection fails and shows them, and old recordings of handovers contain some of them.
std::string pattern(std::size_t bytes);

// A hash over bytes in their order, the same in every build (FNV-1a, 64 bits).
class Digest {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) value_ = (value_ ^ static_cast<unsigned char>(byte)) * 1099511628211u;
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 14695981039346656037u;
};

// The origin's answer to a complete upload.
std::string upload_receipt(std::uint64_t bytes, const Digest& digest);

}  // namespace baton::clients
