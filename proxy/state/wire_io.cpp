#include "proxy/state/wire_io.hpp"

namespace baton::state {

// ── Writing ───────────────────────────────────────────────────────────────────────────────────────────────────────

void Writer::grow(std::size_t bytes) {
  const std::size_t used = size();
  const std::size_t capacity = 2 * (used + bytes);
  auto larger = std::make_unique_for_overwrite<char[]>(capacity);
  std::memcpy(larger.get() + capacity - used, at_, used);
  larger_ = std::move(larger);
  begin_ = larger_.get();
  end_ = begin_ + capacity;
  at_ = end_ - used;
}

void Writer::put_long_varint(std::uint64_t value) {
  char* at = room((static_cast<std::size_t>(std::bit_width(value)) + 6) / 7);
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<char>(value | 0x80);
  *at = static_cast<char>(value);
}

void Writer::put_word(std::uint32_t value) {
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(room(sizeof value), &value, sizeof value);
}

void Writer::put_fixed(unsigned field, std::uint64_t value) {
  std::memcpy(room(sizeof value), &value, sizeof value);
  put_varint(tag(field, WireType::fixed64));
}

void Writer::put(std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(room(bytes.size()), bytes.data(), bytes.size());
}

void Writer::put_bytes(unsigned field, std::string_view bytes, std::string_view more) {
  put(more);
  put(bytes);
  put_length(field, bytes.size() + more.size());
}

// ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────────────

namespace {

// From `at`, which moves behind it. False: it does not end before `end`, or is longer than any.
bool take_varint(const char*& at, const char* end, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; at != end && shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(*at++);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// A field from `at`, which moves behind it: its tag, and where its content begins. False: it is not whole.
struct Field {
  std::uint64_t number;
  std::uint32_t type;
  const char* content;
};
bool take_field(const char*& at, const char* end, Field& field) {
  std::uint64_t number = 0;
  if (!take_varint(at, end, number)) return false;
  field = {number >> 3, static_cast<std::uint32_t>(number & 7), at};
  std::uint64_t bytes = 0;
  switch (static_cast<WireType>(field.type)) {
    case WireType::varint:
      return take_varint(at, end, number);
    case WireType::fixed64:
      bytes = 8;
      break;
    case WireType::fixed32:
      bytes = 4;
      break;
    case WireType::bytes:
      if (!take_varint(at, end, bytes)) return false;
      break;
    default:
      return false;
  }
  if (bytes > static_cast<std::size_t>(end - at)) return false;
  at += bytes;
  return true;
}

}  // namespace

Reader::Reader(std::string_view record, const Terms& terms)
    : record_(record), terms_(terms), is_sound_(record.size() <= record_bytes_max && find_fields()) {}

bool Reader::find_fields() {
  const char* at = record_.data();
  const char* const end = at + record_.size();
  for (Field field; at != end;) {
    if (!take_field(at, end, field)) return false;
    if (field.number >= fields_end) continue;
    there_[field.number / 64] |= std::uint64_t{1} << field.number % 64;
    places_[field.number] = static_cast<std::uint32_t>(field.content - record_.data()) << 3 | field.type;
  }
  return true;
}

// Its end was found before.
std::uint64_t Reader::long_varint(const char* at) const {
  std::uint64_t value = 0;
  take_varint(at, record_.data() + record_.size(), value);
  return value;
}

bool Reader::fixed(unsigned field, std::uint64_t& value) {
  const char* const at = find(field, WireType::fixed64);
  value = 0;
  if (at != nullptr) std::memcpy(&value, at, sizeof value);
  return true;
}

std::string_view Reader::text(unsigned field) {
  const char* at = find(field, WireType::bytes);
  if (at == nullptr) return {};
  std::uint64_t bytes = 0;
  take_varint(at, record_.data() + record_.size(), bytes);
  return {at, bytes};
}

std::size_t Reader::count(unsigned field) {
  std::size_t count = 0;
  const char* at = record_.data();
  for (std::string_view one; next(field, at, one);) ++count;
  return count;
}

bool Reader::next(unsigned number, const char*& at, std::string_view& content) {
  const char* const end = record_.data() + record_.size();
  for (Field field; at != end;) {
    if (!take_field(at, end, field)) return is_sound_ = false;
    if (field.number != number) continue;
    if (static_cast<WireType>(field.type) != WireType::bytes) return is_sound_ = false;
    std::uint64_t bytes = 0;
    take_varint(field.content, end, bytes);
    content = {field.content, bytes};
    return true;
  }
  return false;
}

}  // namespace baton::state
