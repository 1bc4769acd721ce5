// The two directions between a state and a record in protobuf's wire format: each field is a tag (its number and its
// type), then a varint, 4 or 8 bytes, or a length and as many bytes (https://protobuf.dev/programming-guides/encoding).
// Both take a field's number and the member that it carries: a signed one as sint64, an unsigned one as uint64. A
// record's fields are a function of a Writer or Reader and the state.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <ranges>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "proxy/state/buffer.hpp"
#include "proxy/state/hpack_wire.hpp"
#include "proxy/state/list.hpp"
#include "proxy/state/string.hpp"
#include "proxy/state/tls.hpp"

namespace baton::state {

// Of a field, in the lowest three bits of its tag.
enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

// Writes from the back to the front, so that the length of a record within another is known when it is due. A member
// with its initial zero is not written. Its functions return true.
class Writer {
 public:
  std::string_view written() const { return {at_, size()}; }
  void end_with(std::string_view bytes) { put(bytes); }

  template <class Number>
  bool number(unsigned field, Number value, std::uint64_t more = 0) {
    if constexpr (std::is_signed_v<Number>) {
      const auto wide = static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
      put_number(field, wide << 1 ^ (value < 0 ? ~std::uint64_t{0} : 0));
    } else {
      put_number(field, value + more);
    }
    return true;
  }
  bool fixed(unsigned field, std::uint64_t value) {
    if (value != 0) put_fixed(field, value);
    return true;
  }
  bool time(unsigned field, std::int64_t value) { return number(field, value); }
  template <class Enum>
  bool choice(unsigned field, Enum value, Enum) {
    return number(field, static_cast<std::uint32_t>(value));
  }
  // `more`: what follows the value's bytes.
  bool bytes(unsigned field, const auto& value, std::string_view more = {}) {
    if (const std::string_view there = value.view(); !there.empty() || !more.empty()) put_bytes(field, there, more);
    return true;
  }
  // From the front of an array: `part` is exactly `count` bytes, `beginning` as many as there are.
  bool part(unsigned field, const auto& array, std::size_t count) {
    if (count != 0) put_bytes(field, {reinterpret_cast<const char*>(array.data()), count}, {});
    return true;
  }
  bool beginning(unsigned field, const auto& array, std::size_t count) { return part(field, array, count); }
  bool numbers(unsigned field, const auto& array) {
    const std::size_t behind = size();
    for (const std::uint32_t number : array | std::views::reverse) put_word(number);
    put_length(field, size() - behind);
    return true;
  }
  bool secrets(const TlsSecrets&, const TlsSecrets&) { return true; }  // they travel beside the record
  bool table(unsigned field, const HpackTable& table) {
    return within(field, [&](Writer& out) { write(table, out); });
  }

  // A record within this one.
  bool within(unsigned field, const auto& fields, auto&&... state) {
    const std::size_t behind = size();
    fields(*this, state...);
    put_length(field, size() - behind);
    return true;
  }
  // The same for each element of a list of boxed values.
  bool each(unsigned field, const auto& list, const auto& fields) {
    for (const auto& box : list | std::views::reverse) within(field, fields, *box);
    return true;
  }

  // Whether the record has this part, which it has if the state does.
  bool has(unsigned, bool state_has) const { return state_has; }
  bool has_text(unsigned, bool state_has) const { return state_has; }
  bool has_either(unsigned, unsigned) const { return true; }
  bool lacks(const auto& box) const { return !box; }
  auto& begun(auto& box) const { return *box; }
  auto& content(auto& box) const { return *box; }
  template <class Alternative>
  const Alternative& begun_as(const auto& variant) const {
    return std::get<Alternative>(variant);
  }
  template <class Alternative>
  const Alternative* find_as(unsigned, const auto& variant) const {
    return std::get_if<Alternative>(&variant);
  }

  // Used by a Reader only.
  bool accepts(bool) const { return true; }
  void set(const auto&, auto) const {}

 private:
  std::size_t size() const { return static_cast<std::size_t>(end_ - at_); }
  // `bytes` more at the front.
  char* room(std::size_t bytes) {
    if (static_cast<std::size_t>(at_ - begin_) < bytes) grow(bytes);
    return at_ -= bytes;
  }
  void put_number(unsigned field, std::uint64_t value) {
    if (value == 0) return;
    put_varint(value);
    put_varint(tag(field, WireType::varint));
  }
  void put_varint(std::uint64_t value) {
    if (value < 0x80) {
      *room(1) = static_cast<char>(value);
    } else {
      put_long_varint(value);
    }
  }
  void put_length(unsigned field, std::size_t bytes) {
    put_varint(bytes);
    put_varint(tag(field, WireType::bytes));
  }
  static constexpr std::uint32_t tag(unsigned field, WireType type) {
    return field << 3 | static_cast<std::uint32_t>(type);
  }

  void grow(std::size_t bytes);
  void put_long_varint(std::uint64_t value);
  void put_word(std::uint32_t value);
  void put_fixed(unsigned field, std::uint64_t value);
  void put(std::string_view bytes);
  void put_bytes(unsigned field, std::string_view bytes, std::string_view more);

  std::array<char, 8192> first_;  // enough for most
  std::unique_ptr<char[]> larger_;
  char* begin_ = first_.data();
  char* end_ = begin_ + first_.size();
  char* at_ = end_;
};

// Looks first where each field lies, of those that states have; passes over others. A number that its member cannot
// hold refuses the record; so does a field of another type.
class Reader {
 public:
  struct Terms {
    std::int64_t clock_offset_ms;  // added to times
    std::string_view& secrets;     // the keys of TLS legs are taken from its front
  };
  // False: the record is refused, by itself or by `fields`.
  static bool read(std::string_view record, const Terms& terms, const auto& fields, auto&&... state) {
    Reader in(record, terms);
    return in.is_sound_ && fields(in, state...) && in.is_sound_;
  }

  template <class Number>
  bool number(unsigned field, Number& value, std::uint64_t = 0) {
    const std::uint64_t there = varint(field);
    if constexpr (std::is_signed_v<Number>) {
      static_assert(sizeof(Number) == sizeof there);
      value = static_cast<Number>(there >> 1 ^ (~(there & 1) + 1));
    } else {
      if (there > std::numeric_limits<Number>::max()) return false;
      value = static_cast<Number>(there);
    }
    return true;
  }
  bool fixed(unsigned field, std::uint64_t& value);
  // 0 means "never" and stays 0. No real clock is so far along that adding a timeout could overflow.
  bool time(unsigned field, std::int64_t& value) {
    constexpr std::int64_t time_max = std::int64_t{1} << 53;
    std::int64_t there = 0;
    if (!number(field, there) || there < -time_max || there > time_max) return false;
    value = there == 0 ? 0 : there + terms_.clock_offset_ms;
    return true;
  }
  template <class Enum>
  bool choice(unsigned field, Enum& value, Enum last) {
    const std::uint64_t there = varint(field);
    if (there > static_cast<std::uint64_t>(last)) return false;
    value = static_cast<Enum>(there);
    return true;
  }
  bool bytes(unsigned field, String& value, std::string_view = {}) { return value = text(field), true; }
  bool bytes(unsigned field, Buffer& value, std::string_view = {}) { return value.hold(text(field)), true; }
  bool part(unsigned field, auto& array, std::size_t count) {
    const std::string_view there = text(field);
    std::copy_n(there.begin(), std::min(there.size(), array.size()), array.begin());
    return there.size() == count;
  }
  bool beginning(unsigned field, auto& array, std::uint8_t& count) {
    count = static_cast<std::uint8_t>(std::min(text(field).size(), array.size()));
    return part(field, array, count);
  }
  bool numbers(unsigned field, auto& array) {
    const std::string_view there = text(field);
    if (there.size() != array.size() * sizeof array[0]) return false;
    static_assert(std::endian::native == std::endian::little);
    std::memcpy(array.data(), there.data(), there.size());
    return true;
  }
  bool secrets(TlsSecrets& reading, TlsSecrets& writing) { return take(reading) && take(writing); }
  bool table(unsigned field, HpackTable& table) {
    return within(field, [&](Reader& in) { return state::read(in, table); });
  }

  // One that is not there reads as an empty one.
  bool within(unsigned field, const auto& fields, auto&&... state) {
    return read(text(field), terms_, fields, state...);
  }
  bool each(unsigned field, auto& list, const auto& fields) {
    list.reserve(count(field));
    return each_record(field, [&](Reader& in) { return fields(in, list.emplace_back().emplace()); });
  }
  bool each_record(unsigned field, const auto& fields) {
    const char* at = record_.data();
    for (std::string_view one; next(field, at, one);) {
      if (!read(one, terms_, fields)) return false;
    }
    return is_sound_;
  }
  // Empty if it is not there.
  std::string_view text(unsigned field);

  bool has(unsigned field, bool = false) const { return (there_[field / 64] >> field % 64 & 1) != 0; }
  bool has_text(unsigned field, bool) { return !text(field).empty(); }
  bool has_either(unsigned one, unsigned other) const { return has(one) || has(other); }
  bool lacks(const auto&) const { return false; }
  auto& begun(auto& box) const { return box.emplace(); }
  auto& content(auto& box) const { return box.emplace(); }
  template <class Alternative>
  Alternative& begun_as(auto& variant) const {
    return variant.template emplace<Alternative>();
  }
  template <class Alternative>
  Alternative* find_as(unsigned field, auto& variant) const {
    return has(field) ? &begun_as<Alternative>(variant) : nullptr;
  }

  bool accepts(bool is_sound) const { return is_sound; }
  void set(auto& value, auto to) const { value = to; }

 private:
  static constexpr unsigned fields_end = 192;  // numbers are less
  static constexpr std::size_t record_bytes_max = std::size_t{1} << 28;

  Reader(std::string_view record, const Terms& terms);
  // The content of a field; nullptr: it is not there, or is of another type.
  const char* find(unsigned field, WireType type) {
    if (!has(field)) return nullptr;
    if ((places_[field] & 7) == static_cast<std::uint32_t>(type)) return record_.data() + (places_[field] >> 3);
    is_sound_ = false;
    return nullptr;
  }
  std::uint64_t varint(unsigned field) {
    const char* at = find(field, WireType::varint);
    if (at == nullptr) return 0;
    return static_cast<signed char>(*at) >= 0 ? static_cast<std::uint64_t>(*at) : long_varint(at);
  }
  std::uint64_t long_varint(const char* at) const;
  bool find_fields();
  // The fields of this number; `next` finds that behind `at`.
  std::size_t count(unsigned field);
  bool next(unsigned field, const char*& at, std::string_view& content);

  bool take(TlsSecrets& out) { return take(out.traffic) && take(out.key) && take(out.iv); }
  template <std::size_t count>
  bool take(std::array<unsigned char, count>& out) {
    if (terms_.secrets.size() < count) return false;
    std::memcpy(out.data(), terms_.secrets.data(), count);
    terms_.secrets.remove_prefix(count);
    return true;
  }

  std::string_view record_;
  const Terms& terms_;
  std::array<std::uint64_t, fields_end / 64> there_{};  // a bit for each field
  // Of a field that is there: where its content begins, and in the lowest three bits its type.
  std::array<std::uint32_t, fields_end> places_;
  bool is_sound_;
};

// A part that the state may lack.
bool boxed(auto& io, unsigned field, auto& box, const auto& fields) {
  return !io.has(field, static_cast<bool>(box)) || io.within(field, fields, io.begun(box));
}

// A member of a oneof, and the variant's alternative that it carries. False: it is another one, or it is refused.
template <class Alternative>
bool alternative(auto& io, unsigned field, auto& variant, const auto& fields, auto&... beside) {
  auto* const one = io.template find_as<Alternative>(field, variant);
  return one != nullptr && io.within(field, fields, beside..., *one);
}

}  // namespace baton::state
