#include "proxy/routing/path_substitution.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "config/matched_path.hpp"
#include "proxy/routing/path_rewrite.hpp"

namespace baton::routing {

namespace {

// A path as expressions see it, and where each of its bytes was.
struct Decoded {
  explicit Decoded(std::string_view path) : encoded(path) {
    for (std::string_view rest = path; !rest.empty();) {
      places.push_back(static_cast<std::uint32_t>(path.size() - rest.size()));
      text += config::take_decoded(rest);
    }
    places.push_back(static_cast<std::uint32_t>(path.size()));
  }

  // `part` is one of `text`.
  std::string_view encoding_of(std::string_view part) const {
    const auto begin = static_cast<std::size_t>(part.data() - text.data());
    return encoded.substr(places[begin], places[begin + part.size()] - places[begin]);
  }

  std::string_view encoded;
  std::string text;
  std::vector<std::uint32_t> places;
};

}  // namespace

PathSubstitution::PathSubstitution(const config::PathRewrite::Pattern& pattern)
    : regex_(config::PathRegex::parse(pattern.match).value()) {
  const config::PathReplacement replacement = config::PathReplacement::parse(pattern.replace, regex_.groups()).value();
  for (const config::PathReplacement::Part& part : replacement.parts()) {
    parts_.push_back({.text = {}, .group = part.group});
    append_to_path(part.text, PathText::path, parts_.back().text);
  }
}

void PathSubstitution::apply(std::string_view path, std::string& out) const {
  const Decoded decoded(path);
  std::array<std::string_view, config::PathRegex::groups_max + 1> found;
  if (!regex_.find(decoded.text, found)) {
    out += path;
    return;
  }
  const std::string_view match = decoded.encoding_of(found[0]);
  std::string made(path.substr(0, static_cast<std::size_t>(match.data() - path.data())));
  for (const auto& part : parts_) {
    made += part.text;
    const std::string_view group = part.group < 0 ? std::string_view() : found[static_cast<std::size_t>(part.group)];
    if (group.data() != nullptr) made += decoded.encoding_of(group);
  }
  made.append(match.data() + match.size(), path.data() + path.size());
  if (!made.starts_with('/')) made.insert(0, 1, '/');
  const auto is_repeated = [](char before, char c) { return before == '/' && c == '/'; };
  const auto rest = std::ranges::unique(made, is_repeated);
  out.append(made.begin(), rest.begin());
}

}  // namespace baton::routing
