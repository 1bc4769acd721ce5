// The two directions between a state and a message of state.proto. Both take a field (FIELD), or a nested message
// (MESSAGE), and the member that it carries. Included by wire.cpp alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "proxy/state/buffer.hpp"
#include "proxy/state/hpack_wire.hpp"
#include "proxy/state/string.hpp"
#include "proxy/state/tls.hpp"

namespace baton::state {

namespace access_of_message {
struct Has {};
struct Get {};
struct Mutable {};
}  // namespace access_of_message

// protobuf's functions for one field: reads it without a value, sets it with one.
#define FIELD(name)                                    \
  [](auto& message, auto... value) -> decltype(auto) { \
    if constexpr (sizeof...(value) == 0) {             \
      return message.name();                           \
    } else {                                           \
      message.set_##name(value...);                    \
    }                                                  \
  }
#define MESSAGE(name)                                                                \
  [](auto access, auto& message) -> decltype(auto) {                                 \
    if constexpr (std::is_same_v<decltype(access), access_of_message::Has>) {        \
      return message.has_##name();                                                   \
    } else if constexpr (std::is_same_v<decltype(access), access_of_message::Get>) { \
      return message.name();                                                         \
    } else {                                                                         \
      return *message.mutable_##name();                                              \
    }                                                                                \
  }

// The same for a repeated field, and for its number of elements, one of them, and a new one.
#define REPEATED(name)                                                               \
  [](auto access, auto& message, auto... at) -> decltype(auto) {                     \
    if constexpr (std::is_same_v<decltype(access), access_of_message::Has>) {        \
      return message.name##_size();                                                  \
    } else if constexpr (std::is_same_v<decltype(access), access_of_message::Get>) { \
      return message.name(at...);                                                    \
    } else {                                                                         \
      return message.add_##name(at...);                                              \
    }                                                                                \
  }

template <class Message>
class Writer {
 public:
  explicit Writer(Message& message) : message_(message) {}

  bool number(auto field, auto value) const { return field(message_, value), true; }
  bool time(auto field, std::int64_t value) const { return field(message_, value), true; }
  template <class Enum>
  bool choice(auto field, Enum value, Enum) const {
    return field(message_, static_cast<std::uint32_t>(value)), true;
  }
  // An empty field is not written anyway, and setting it would make an empty text.
  bool bytes(auto field, const auto& value) const {
    if (value.size() != 0) field(message_, value.data(), value.size());
    return true;
  }
  // From the front of an array: `part` is exactly `count` bytes, `beginning` as many as there are.
  bool part(auto field, const auto& array, std::size_t count) const {
    if (count != 0) field(message_, array.data(), count);
    return true;
  }
  bool beginning(auto field, const auto& array, std::size_t count) const { return part(field, array, count); }
  // All elements of a list of boxed values, each by `one`.
  bool each(auto part, const auto& list, auto one) const {
    return std::ranges::all_of(
        list, [&](const auto& box) { return one(writer_of(*part(access_of_message::Mutable{}, message_)), *box); });
  }
  bool numbers(auto part, const auto& array) const {
    for (const auto number : array) part(access_of_message::Mutable{}, message_, number);
    return true;
  }
  bool value(const auto& value, auto field) const {
    write(value, field(access_of_message::Mutable{}, message_));
    return true;
  }
  bool secrets(const TlsSecrets&, const TlsSecrets&) const { return true; }  // they travel beside the message
  bool table(auto part, const HpackTable& table) const {
    return write(table, part(access_of_message::Mutable{}, message_)), true;
  }

  // Whether the message has this part, which it has if the state does.
  bool has(auto, bool state_has) const { return state_has; }
  bool has_text(auto, bool state_has) const { return state_has; }
  bool has_either(auto, auto) const { return true; }
  bool has_some(auto, bool state_has) const { return state_has; }
  bool lacks(const auto& box) const { return !box; }
  // The part itself, of the message and of the state.
  auto in(auto part) const { return writer_of(part(access_of_message::Mutable{}, message_)); }
  auto& begun(auto& box) const { return *box; }
  auto& content(auto& box) const { return *box; }
  template <class Alternative>
  const Alternative& begun_as(const auto& variant) const {
    return std::get<Alternative>(variant);
  }
  template <class Alternative>
  const Alternative* find_as(auto, const auto& variant) const {
    return std::get_if<Alternative>(&variant);
  }

  // Used by a Reader only.
  bool accepts(bool) const { return true; }
  void set(const auto&, auto) const {}

 private:
  template <class Part>
  static Writer<Part> writer_of(Part& part) {
    return Writer<Part>(part);
  }

  Message& message_;
};

template <class Message>
class Reader {
 public:
  // Takes the keys of TLS legs from the front of `secrets`.
  Reader(const Message& message, std::int64_t clock_offset_ms, std::string_view& secrets)
      : message_(message), clock_offset_ms_(clock_offset_ms), secrets_(secrets) {}

  bool number(auto field, auto& value) const {
    const auto there = field(message_);
    if constexpr (sizeof value < sizeof there) {
      if (there > std::numeric_limits<std::remove_reference_t<decltype(value)>>::max()) return false;
    }
    value = static_cast<std::remove_reference_t<decltype(value)>>(there);
    return true;
  }
  // 0 means "never" and stays 0. No real clock is so far along that adding a timeout could overflow.
  bool time(auto field, std::int64_t& value) const {
    constexpr std::int64_t time_max = std::int64_t{1} << 53;
    const std::int64_t there = field(message_);
    if (there < -time_max || there > time_max) return false;
    value = there == 0 ? 0 : there + clock_offset_ms_;
    return true;
  }
  template <class Enum>
  bool choice(auto field, Enum& value, Enum last) const {
    const std::uint32_t there = field(message_);
    if (there > static_cast<std::uint32_t>(last)) return false;
    value = static_cast<Enum>(there);
    return true;
  }
  bool bytes(auto field, String& value) const { return value = field(message_), true; }
  bool bytes(auto field, Buffer& value) const { return value.hold(field(message_)), true; }
  bool part(auto field, auto& array, std::size_t count) const {
    const std::string& there = field(message_);
    std::copy_n(there.begin(), std::min(there.size(), array.size()), array.begin());
    return there.size() == count;
  }
  bool beginning(auto field, auto& array, std::uint8_t& count) const {
    const std::string& there = field(message_);
    count = static_cast<std::uint8_t>(std::min(there.size(), array.size()));
    return part(field, array, count);
  }
  bool each(auto part, auto& list, auto one) const {
    const int count = part(access_of_message::Has{}, message_);
    for (int i = 0; i < count; ++i) {
      if (!one(reader_of(part(access_of_message::Get{}, message_, i)), list.emplace_back().emplace())) return false;
    }
    return true;
  }
  bool numbers(auto part, auto& array) const {
    if (static_cast<std::size_t>(part(access_of_message::Has{}, message_)) != array.size()) return false;
    int at = 0;
    for (auto& number : array) number = part(access_of_message::Get{}, message_, at++);
    return true;
  }
  bool value(auto& value, auto field) const { return read(field(access_of_message::Get{}, message_), value); }
  bool secrets(TlsSecrets& reading, TlsSecrets& writing) const { return take(reading) && take(writing); }
  bool table(auto part, HpackTable& table) const { return read(part(access_of_message::Get{}, message_), table); }

  bool has(auto part, bool) const { return part(access_of_message::Has{}, message_); }
  bool has_text(auto field, bool) const { return !field(message_).empty(); }
  bool has_either(auto one, auto other) const { return has(one, false) || has(other, false); }
  bool has_some(auto part, bool) const { return part(access_of_message::Has{}, message_) != 0; }
  bool lacks(const auto&) const { return false; }
  auto in(auto part) const { return reader_of(part(access_of_message::Get{}, message_)); }
  auto& begun(auto& box) const { return box.emplace(); }
  auto& content(auto& box) const { return box.emplace(); }
  template <class Alternative>
  Alternative& begun_as(auto& variant) const {
    return variant.template emplace<Alternative>();
  }
  template <class Alternative>
  Alternative* find_as(auto part, auto& variant) const {
    return has(part, false) ? &begun_as<Alternative>(variant) : nullptr;
  }

  bool accepts(bool is_sound) const { return is_sound; }
  void set(auto& value, auto to) const { value = to; }

 private:
  template <class Part>
  Reader<Part> reader_of(const Part& part) const {
    return {part, clock_offset_ms_, secrets_};
  }
  bool take(TlsSecrets& out) const { return take(out.traffic) && take(out.key) && take(out.iv); }
  template <std::size_t count>
  bool take(std::array<unsigned char, count>& out) const {
    if (secrets_.size() < count) return false;
    std::memcpy(out.data(), secrets_.data(), count);
    secrets_.remove_prefix(count);
    return true;
  }

  const Message& message_;
  std::int64_t clock_offset_ms_;
  std::string_view& secrets_;
};

// A member of a oneof, and the variant's alternative that it carries. False: it is another one, or it is refused.
template <class Alternative>
bool alternative(auto io, auto part, auto& variant, auto fields) {
  auto* const one = io.template find_as<Alternative>(part, variant);
  return one != nullptr && fields(io.in(part), *one);
}

}  // namespace baton::state
