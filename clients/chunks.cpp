#include "clients/chunks.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace baton::clients {
namespace {

constexpr std::uint64_t chunk_bytes_max = 1u << 30;

int digit_value(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

}  // namespace

std::string chunk(std::string_view data) {
  return fmt::format("{:x}\r\n{}\r\n", data.size(), data);
}

bool ChunkReader::read(std::string_view bytes, std::string& data) {
  while (!bytes.empty()) {
    if (position_ == Position::data) {
      const std::size_t taken = std::min<std::uint64_t>(remaining_, bytes.size());
      data.append(bytes.substr(0, taken));
      bytes.remove_prefix(taken);
      remaining_ -= taken;
      if (remaining_ == 0) position_ = Position::data_cr;
    } else {
      if (!step(bytes.front())) return false;
      bytes.remove_prefix(1);
    }
  }
  return true;
}

bool ChunkReader::step(char byte) {
  const auto expect = [&](char expected, Position next) {
    position_ = next;
    return byte == expected;
  };
  switch (position_) {
    case Position::size:
      if (byte == '\r') return expect('\r', Position::size_lf);
      [[fallthrough]];
    case Position::first_digit:
      if (digit_value(byte) < 0) return false;
      remaining_ = remaining_ * 16 + static_cast<unsigned>(digit_value(byte));
      position_ = Position::size;
      return remaining_ <= chunk_bytes_max;
    case Position::size_lf:
      return expect('\n', remaining_ == 0 ? Position::last_cr : Position::data);
    case Position::data_cr:
      return expect('\r', Position::data_lf);
    case Position::data_lf:
      return expect('\n', Position::first_digit);
    case Position::last_cr:
      return expect('\r', Position::last_lf);
    case Position::last_lf:
      return expect('\n', Position::end);
    case Position::data:
    case Position::end:
      break;
  }
  return false;
}

}  // namespace baton::clients
