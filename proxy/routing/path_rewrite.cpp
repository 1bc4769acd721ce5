#include "proxy/routing/path_rewrite.hpp"

#include "config/matched_path.hpp"

namespace baton::routing {

namespace {

constexpr std::string_view hex = "0123456789ABCDEF";

bool is_unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("-._~").find(c) != std::string_view::npos;
}

// Whether resolving may change it.
bool needs_resolving(std::string_view path) {
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    if (path[i] == '/' && (path[i + 1] == '/' || path[i + 1] == '.' || path[i + 1] == '%')) return true;
    if (path[i] == '%' && path[i + 1] == '2') return true;
  }
  return false;
}

// Takes one segment and the slash that ends it. `ended` is false at the end of the path.
std::string_view take_segment(std::string_view& path, bool& ended) {
  const std::string_view all = path;
  while (!path.empty()) {
    const std::size_t before = all.size() - path.size();
    ended = config::take_decoded(path) == '/';
    if (ended) return all.substr(0, before);
  }
  ended = false;
  return all;
}

enum class Dots { none, one, two };
Dots dots_of(std::string_view segment) {
  int count = 0;
  while (!segment.empty()) {
    if (config::take_decoded(segment) != '.' || ++count > 2) return Dots::none;
  }
  return count == 1 ? Dots::one : count == 2 ? Dots::two : Dots::none;
}

// The rest of the path behind the prefix; nothing: it does not begin with these segments.
bool strip(std::string_view& path, std::string_view prefix) {
  std::string_view rest = path;
  for (const char c : prefix) {
    if (rest.empty() || config::take_decoded(rest) != c) return false;
  }
  if (prefix == "/") return false;
  if (!rest.empty() && rest.front() != '/') return false;
  path = rest.empty() ? "/" : rest;
  return true;
}

}  // namespace

std::string_view resolved_path(std::string_view path, std::string& space) {
  if (!needs_resolving(path)) return path;
  space.assign(1, '/');
  path.remove_prefix(1);
  for (bool ended = true; ended && !path.empty();) {
    const std::string_view segment = take_segment(path, ended);
    switch (dots_of(segment)) {
      case Dots::one:
        break;
      case Dots::two:
        if (space.size() > 1) space.pop_back();
        space.resize(space.rfind('/') + 1);
        break;
      case Dots::none:
        if (segment.empty()) break;
        space += segment;
        if (ended) space += '/';
    }
  }
  return space;
}

bool has_dot_segments(std::string_view path) {
  for (bool ended = true; ended;) {
    if (dots_of(take_segment(path, ended)) != Dots::none) return true;
  }
  return false;
}

void rewrite_path(const config::PathRewrite& rewrite, std::string_view path, std::string& out) {
  if (!rewrite.strip_prefix.empty()) strip(path, rewrite.strip_prefix);
  if (rewrite.add_prefix.size() > 1) append_to_path(rewrite.add_prefix, PathText::path, out);
  out += path;
}

void append_to_path(std::string_view text, PathText kind, std::string& out) {
  const std::string_view allowed = kind == PathText::path ? "!$&'()*+,;=:@/%?" : "!$&'()*+,;=:@";
  for (const char c : text) {
    if (is_unreserved(c) || allowed.find(c) != std::string_view::npos) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += hex[byte >> 4];
      out += hex[byte & 15];
    }
  }
}

}  // namespace baton::routing
