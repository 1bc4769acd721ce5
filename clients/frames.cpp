#include "clients/frames.hpp"

#include <stdexcept>

namespace baton::clients {
namespace {

constexpr unsigned final_bit = 0x80;
constexpr unsigned mask_bit = 0x80;
constexpr std::uint64_t payload_bytes_max = 1u << 24;

void append_number(std::string& bytes, std::uint64_t number, unsigned width) {
  for (unsigned left = width; left-- > 0;) bytes += static_cast<char>(number >> (8 * left) & 0xff);
}

std::uint64_t number_at(std::string_view bytes, std::size_t offset, unsigned width) {
  std::uint64_t number = 0;
  for (unsigned i = 0; i < width; ++i) number = number << 8 | static_cast<unsigned char>(bytes[offset + i]);
  return number;
}

// Masking is its own inverse.
void apply_mask(std::string& bytes, std::size_t from, std::uint32_t mask) {
  for (std::size_t i = from; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(static_cast<unsigned char>(bytes[i]) ^ (mask >> (8 * (3 - (i - from) % 4)) & 0xff));
  }
}

}  // namespace

std::string encode_frame(Opcode opcode, std::string_view payload, std::optional<std::uint32_t> mask) {
  const unsigned masked = mask ? mask_bit : 0;
  std::string bytes(1, static_cast<char>(final_bit | static_cast<unsigned>(opcode)));
  if (payload.size() < 126) {
    append_number(bytes, masked | payload.size(), 1);
  } else if (payload.size() < 65536) {
    append_number(bytes, masked | 126, 1);
    append_number(bytes, payload.size(), 2);
  } else {
    append_number(bytes, masked | 127, 1);
    append_number(bytes, payload.size(), 8);
  }
  if (mask) append_number(bytes, *mask, 4);
  const std::size_t head = bytes.size();
  bytes += payload;
  if (mask) apply_mask(bytes, head, *mask);
  return bytes;
}

std::optional<Frame> take_frame(std::string& bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const auto first = static_cast<unsigned char>(bytes[0]);
  const auto second = static_cast<unsigned char>(bytes[1]);
  const auto opcode = static_cast<Opcode>(first & 0x0f);
  if ((first & 0xf0) != final_bit) throw std::runtime_error("a fragment, or reserved bits");
  if (opcode != Opcode::binary && opcode != Opcode::close) throw std::runtime_error("an opcode that nobody sends");

  const bool masked = (second & mask_bit) != 0;
  const unsigned short_length = second & 0x7f;
  const unsigned width = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
  const std::size_t head = 2 + width + (masked ? 4 : 0);
  if (bytes.size() < head) return std::nullopt;
  const std::uint64_t length = width == 0 ? short_length : number_at(bytes, 2, width);
  if (length > payload_bytes_max) throw std::runtime_error("a payload that is too long");
  if (bytes.size() - head < length) return std::nullopt;

  Frame frame{.opcode = opcode, .masked = masked, .payload = bytes.substr(head, length)};
  if (masked) apply_mask(frame.payload, 0, static_cast<std::uint32_t>(number_at(bytes, head - 4, 4)));
  bytes.erase(0, head + length);
  return frame;
}

}  // namespace baton::clients
