#include "clients/content.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace baton::clients {
namespace {

// The word at `index` of the stream `seed`: splitmix64, cut into bytes from the lowest on.
std::uint64_t word_at(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t word = seed + (index + 1) * 0x9e3779b97f4a7c15u;
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
  word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
  return word ^ (word >> 31);
}

}  // namespace

Content::Content(std::string_view stream) {
  Digest name;
  name.add(stream);
  seed_ = name.value();
}

std::string Content::at(std::uint64_t offset, std::size_t bytes) const {
  std::string content(bytes, '\0');
  for (std::size_t done = 0; done < bytes;) {
    const std::uint64_t position = offset + done;
    const std::size_t skipped = position % 8;
    const std::size_t part = std::min<std::size_t>(8 - skipped, bytes - done);
    std::uint64_t word = word_at(seed_, position / 8) >> (8 * skipped);
    for (std::size_t i = 0; i < part; ++i, word >>= 8) content[done + i] = static_cast<char>(word & 0xff);
    done += part;
  }
  return content;
}

std::string pattern(std::size_t bytes) {
  static constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    const std::size_t block = i / 61;  // odd, so that no power of two repeats
    out[i] = letters[(i % 61 + block * 7 + block / 64 * 13) % letters.size()];
  }
  return out;
}

std::string upload_receipt(std::uint64_t bytes, const Digest& digest) {
  return fmt::format("{} bytes, digest {:016x}\n", bytes, digest.value());
}

}  // namespace baton::clients
