// Text that a state owns: a value of 16 bytes that holds texts of up to 14 bytes inline.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

#include "proxy/state/memory.hpp"

namespace baton::state {

class String {
 public:
  String() = default;
  String(std::string_view text) {
    if (text.size() > inline_max) {
      hold(text);
    } else {
      if (!text.empty()) std::memcpy(content_.bytes, text.data(), text.size());
      content_.tag = static_cast<std::uint8_t>(text.size());
    }
  }
  template <class Text>
    requires std::convertible_to<const Text&, std::string_view> && (!std::same_as<Text, String>)
  String(const Text& text) : String(std::string_view(text)) {}
  String(const String& other) : String(other.view()) {}
  String(String&& other) noexcept : content_(std::exchange(other.content_, {})) {}
  String& operator=(String other) noexcept {
    std::swap(content_, other.content_);
    return *this;
  }
  ~String() { clear(); }

  std::string_view view() const {
    if (content_.tag == elsewhere) return {held().text, held().size};
    return {content_.bytes, content_.tag};
  }
  operator std::string_view() const { return view(); }
  const char* data() const { return view().data(); }
  const char* c_str() const { return data(); }  // a zero follows the text
  std::size_t size() const { return view().size(); }
  bool empty() const { return content_.tag == 0; }

  void clear() {
    if (content_.tag == elsewhere) deallocate(held().text, held().size + std::size_t{1});
    content_ = {};
  }

  friend bool operator==(const String& one, const String& other) { return one.view() == other.view(); }
  template <class Text>
    requires std::convertible_to<const Text&, std::string_view> && (!std::same_as<Text, String>)
  friend bool operator==(const String& one, const Text& other) {
    return one.view() == std::string_view(other);
  }

 private:
  static constexpr std::size_t inline_max = 14;
  static constexpr std::uint8_t elsewhere = 0xff;
  struct Held {
    char* text;
    std::uint32_t size;
  };
  static constexpr std::size_t held_bytes = sizeof(char*) + sizeof(std::uint32_t);
  struct Content {
    alignas(char*) char bytes[inline_max + 1]{};  // the text itself, or a Held
    std::uint8_t tag = 0;                         // the size of the text in `bytes`; `elsewhere`: it is a Held
  };

  Held held() const {
    Held held;
    std::memcpy(&held, content_.bytes, held_bytes);
    return held;
  }
  void hold(std::string_view text) {
    if (text.size() >= std::numeric_limits<std::uint32_t>::max()) throw std::length_error("a text over 4 GiB");
    const Held held{static_cast<char*>(allocate(text.size() + 1)), static_cast<std::uint32_t>(text.size())};
    std::memcpy(held.text, text.data(), text.size());
    held.text[text.size()] = 0;
    std::memcpy(content_.bytes, &held, held_bytes);
    content_.tag = elsewhere;
  }

  Content content_;
};

// How fmt writes it. (fmt 10 and later do not convert to std::string_view by themselves.)
inline std::string_view format_as(const String& text) { return text; }

}  // namespace baton::state
