#include "proxy/worker/failure_lines.hpp"

#include <fmt/format.h>

#include <utility>

namespace baton::proxy {

namespace {

constexpr std::int64_t every_ms = 1'000;

}  // namespace

std::optional<std::string> FailureLines::next(Kind kind, std::string_view about, std::int64_t now_ms) {
  std::uint64_t left_out = 0;
  {
    auto lines = lines_.lock();
    Lines& of_kind = (*lines)[static_cast<std::size_t>(kind)];
    auto found = of_kind.find(about);
    if (found == of_kind.end()) found = of_kind.try_emplace(std::string(about)).first;
    Line& line = found->second;
    if (now_ms < line.next_ms) {
      ++line.left_out;
      return std::nullopt;
    }
    line.next_ms = now_ms + every_ms;
    left_out = std::exchange(line.left_out, 0);
  }
  return left_out == 0 ? std::string() : fmt::format(" ({} more since the last such line)", left_out);
}

}  // namespace baton::proxy
