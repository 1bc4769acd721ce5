#include "config/place_comment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "config/text.hpp"

namespace baton::config {
namespace {

constexpr std::string_view place_mark = "# at ";

// Takes `:NUMBER` from the end.
std::optional<int> take_number(std::string_view& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  int number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, number);
  if (error != std::errc{} || stop != end || number < 1) return std::nullopt;
  text = text.substr(0, colon);
  return number;
}

std::optional<Position> place_in(std::string_view line) {
  const std::size_t begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos || !line.substr(begin).starts_with(place_mark)) return std::nullopt;
  line.remove_prefix(begin + place_mark.size());
  const auto column = take_number(line);
  const auto number = column ? take_number(line) : std::nullopt;
  if (!number || line.empty()) return std::nullopt;
  return Position{.file = std::string(line), .line = *number, .column = *column};
}

}  // namespace

std::string place_comment(const Position& where) {
  if (where.line == 0 || where.file.empty() || find_unprintable(where.file, true) != std::string::npos) return {};
  return fmt::format("{}{}:{}:{}", place_mark, where.file, where.line, where.column);
}

void restore_places(std::string_view text, std::vector<Route>& routes) {
  std::map<int, Position> places;  // by the line that they are for
  for (int next = 2; !text.empty(); ++next) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (auto place = place_in(text.substr(0, end))) places.emplace(next, *std::move(place));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  for (Route& route : routes) {
    if (const auto place = places.find(route.where.line); place != places.end()) route.where = place->second;
  }
}

}  // namespace baton::config
