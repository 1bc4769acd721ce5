#include "config/matched_path.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "config/block.hpp"

namespace baton::config {
namespace {

// Bytes that may make a path need resolving, and the byte that ends it.
constexpr auto is_special = [] {
  std::array<bool, 256> special{};
  for (const char c : {'%', '/', '?'}) special[static_cast<unsigned char>(c)] = true;
  return special;
}();

// The first byte that ends the path (`?`) or for which it must be resolved: a `%`, or a slash before a slash or a dot.
// If there is none, the last byte, which nothing follows. The path is longer than a block.
std::size_t first_deciding(std::string_view path) {
  // Each block is looked at with the byte behind it. The last one may begin among bytes that were looked at already.
  const std::size_t last = path.size() - 1 - Block::bytes;
  for (std::size_t at = 0;; at = std::min(at + Block::bytes, last)) {
    const Block here(path.data() + at);
    const Block next(path.data() + at + 1);
    const auto found = here.match_equal('?') | here.match_equal('%') |
                       (here.match_equal('/') & (next.match_equal('/') | next.match_equal('.')));
    if (found != 0) return at + static_cast<std::size_t>(Block::first(found));
    if (at == last) return path.size() - 1;
  }
}

std::optional<unsigned> hex_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

// Assembles segments in a buffer that may be too short. Those that begin past its end are only counted.
class Segments {
 public:
  explicit Segments(std::span<char> to) : to_(to) { to_[size_++] = '/'; }

  void add(char c) {
    segment_is_dots_ = segment_is_dots_ && c == '.';
    ++segment_bytes_;
    put(c);
  }

  // Ends a segment, at a slash or at the end of the path.
  void end(bool by_slash) {
    const bool is_dot = segment_is_dots_ && segment_bytes_ == 1;
    const bool is_parent = segment_is_dots_ && segment_bytes_ == 2;
    if (is_dot || is_parent) {
      drop_segment();
      if (is_parent) leave_parent();
    } else if (segment_bytes_ != 0 && by_slash) {
      if (segment_begin_ == to_.size()) ++beyond_;
      put('/');
    }
    segment_begin_ = size_;
    segment_bytes_ = 0;
    segment_is_dots_ = true;
  }

  std::size_t size() const { return size_; }

 private:
  void put(char c) {
    if (size_ < to_.size()) to_[size_++] = c;
  }
  void drop_segment() { size_ = segment_begin_; }
  void leave_parent() {
    if (beyond_ != 0) {
      --beyond_;
      return;
    }
    if (size_ > 1 && to_[size_ - 1] == '/') --size_;
    while (to_[size_ - 1] != '/') --size_;
  }

  std::span<char> to_;  // outlives this object
  std::size_t size_ = 0;
  std::size_t beyond_ = 0;  // whole segments that begin past the end of the buffer
  std::size_t segment_begin_ = 1;
  std::size_t segment_bytes_ = 0;
  bool segment_is_dots_ = true;
};

}  // namespace

char take_decoded(std::string_view& path) {
  char c = path.front();
  std::size_t bytes = 1;
  if (c == '%' && path.size() > 2) {
    const auto high = hex_value(path[1]);
    const auto low = hex_value(path[2]);
    if (high && low) {
      c = static_cast<char>(*high * 16 + *low);
      bytes = 3;
    }
  }
  path.remove_prefix(bytes);
  return c;
}

bool has_dots_between_slashes(std::string_view part) {
  bool is_behind_slash = false;
  std::string segment;
  while (!part.empty()) {
    const char c = take_decoded(part);
    if (c != '/') {
      segment += c;
      continue;
    }
    if (is_behind_slash && (segment == "." || segment == "..")) return true;
    is_behind_slash = true;
    segment.clear();
  }
  return false;
}

MatchedPath::MatchedPath(std::string_view path) {
  if (!take_as_it_is(path)) resolve(path, resolved_);
}

MatchedPath::MatchedPath(std::string_view path, std::string& room) {
  if (take_as_it_is(path)) return;
  if (path.size() < bytes_max) {
    resolve(path, resolved_);
  } else {
    room.resize(path.size() + 1);
    resolve(path, room);
  }
}

bool MatchedPath::take_as_it_is(std::string_view path) {
  const char* p = path.data() + (path.size() > Block::bytes ? first_deciding(path) : 0);
  const char* const end = path.data() + path.size();
  for (;; ++p) {
    while (p != end && !is_special[static_cast<unsigned char>(*p)]) ++p;
    if (p == end || *p == '?') break;
    if (*p == '%' || (end - p > 1 && (p[1] == '/' || p[1] == '.'))) return false;
  }
  text_ = {path.data(), static_cast<std::size_t>(p - path.data())};
  return true;
}

void MatchedPath::resolve(std::string_view path, std::span<char> room) {
  path = path.substr(1, path.find('?') - 1);
  Segments segments(room);
  while (!path.empty()) {
    const char c = take_decoded(path);
    if (c == '/') {
      segments.end(true);
    } else {
      segments.add(c);
    }
  }
  segments.end(false);
  text_ = {room.data(), segments.size()};
}

}  // namespace baton::config
