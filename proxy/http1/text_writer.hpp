// The sink of forwarding.hpp that writes HTTP/1.1 text.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "proxy/http1/head.hpp"
#include "proxy/http1/scan.hpp"
#include "proxy/state/buffer.hpp"

namespace baton::http1 {

// Appends to a buffer. Adjacent pieces of the source are copied in one go.
class TextWriter {
 public:
  // `foreign_bytes_max`: the most bytes that come from a head or from outside it. Room for our own text is added.
  TextWriter(state::Buffer& out, std::size_t foreign_bytes_max)
      : out_(out),
        begin_(out.prepare(foreign_bytes_max + own_bytes_max)),
        end_(begin_ + foreign_bytes_max + own_bytes_max),
        to_(begin_) {}

  // ── As a sink ───────────────────────────────────────────────────────────────────────────────────────────────────

  [[gnu::always_inline]] void request_line(const RequestHead& head, std::string_view before_path,
                                           std::string_view path) {
    if (path.data() == head.target.data() && path.size() == head.target.size() &&
        head.start_line.ends_with(" HTTP/1.1\r\n"))
      return copy(head.start_line);
    copy(head.method_text);
    literal(" ");
    copy(before_path);
    copy(path);
    literal(" HTTP/1.1\r\n");
  }

  [[gnu::always_inline]] void status_line(const ResponseHead& head) {
    constexpr std::string_view shortest = "HTTP/1.1 200 \r\n";
    const bool will_do = head.start_line.size() >= shortest.size() && head.start_line.starts_with("HTTP/1.1 ");
    if (will_do) return copy(head.start_line);
    status_line(head.status, head.reason);
  }

  void lines(const Field* first, const Field* last) {
    const char* const begin = first->line.data();
    const char* const end = last[-1].line.data() + last[-1].line.size();
    copy({begin, static_cast<std::size_t>(end - begin)});
  }

  void field(std::string_view name, std::string_view value) {
    copy(name);
    literal(": ");
    copy(value);
    literal("\r\n");
  }
  template <std::size_t name_with_nul>
  void field(const char (&name)[name_with_nul], std::string_view value) {
    literal(name);
    literal(": ");
    copy(value);
    literal("\r\n");
  }
  template <std::size_t name_with_nul, std::size_t value_with_nul>
  void field(const char (&name)[name_with_nul], const char (&value)[value_with_nul]) {
    literal(name);
    literal(": ");
    literal(value);
    literal("\r\n");
  }

  template <std::size_t name_with_nul>
  void field_from_outside(const char (&name)[name_with_nul], std::string_view value) {
    literal(name);
    literal(": ");
    without_controls(value);
    literal("\r\n");
  }

  // ── Only for text
  // ───────────────────────────────────────────────────────────────────────────────────────────────────

  void status_line(std::uint16_t code, std::string_view reason) {
    literal("HTTP/1.1 ");
    status(code);
    literal(" ");
    copy(reason);
    literal("\r\n");
  }

  // Three digits.
  void status(std::uint16_t code) {
    flush();
    *to_++ = static_cast<char>('0' + code / 100 % 10);
    *to_++ = static_cast<char>('0' + code / 10 % 10);
    *to_++ = static_cast<char>('0' + code % 10);
  }

  void copy(std::string_view piece) {
    if (piece.data() != run_end_) {
      flush();
      run_begin_ = piece.data();
    }
    run_end_ = piece.data() + piece.size();
  }

  // For short literals, whose copy the compiler inlines.
  template <std::size_t size_with_nul>
  void literal(const char (&text)[size_with_nul]) {
    flush();
    std::memcpy(to_, text, size_with_nul - 1);
    to_ += size_with_nul - 1;
  }

  void finish() {
    flush();
    out_.commit(static_cast<std::size_t>(to_ - begin_));
  }

 private:
  static constexpr std::size_t own_bytes_max = 256;

  void flush() {
    if (run_begin_ == run_end_) return;
    const auto bytes = static_cast<std::size_t>(run_end_ - run_begin_);
    if (bytes > static_cast<std::size_t>(end_ - to_)) [[unlikely]]
      std::abort();  // `foreign_bytes_max` was wrong
    std::memcpy(to_, run_begin_, bytes);
    to_ += bytes;
    run_begin_ = run_end_ = nullptr;
  }

  // Turns each control character, which could end the field, into a question mark.
  void without_controls(std::string_view text) {
    if (text.empty()) return;
    flush();
    std::memcpy(to_, text.data(), text.size());
    char* const end = to_ + text.size();
    // There is room for a whole block at `to_`.
    for (; to_ < end; to_ += Block::bytes) {
      const auto control = Block{to_}.match_below_or_del(' ');
      if (control == 0 || Block::first(control) >= end - to_) continue;
      std::replace_if(to_, end, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, '?');
    }
    to_ = end;
  }

  state::Buffer& out_;
  char* begin_;
  char* end_;
  char* to_;
  const char* run_begin_ = nullptr;
  const char* run_end_ = nullptr;
};

}  // namespace baton::http1
