#include "config/suggest.hpp"

#include <algorithm>
#include <vector>

#include "config/text.hpp"

namespace baton::config {
namespace {

constexpr std::size_t word_bytes_max = 64;  // longer text is not a misspelt key

// Names used by other proxies.
struct Alias {
  std::string_view theirs;
  std::string_view ours;
};
constexpr Alias aliases[] = {{"listen", "bind"},
                             {"port", "bind"},
                             {"address", "bind"},
                             {"addr", "bind"},
                             {"ssl", "tls"},
                             {"mode", "protocol"},
                             {"backends", "upstreams"},
                             {"backend", "upstream"},
                             {"backend", "upstreams"},
                             {"services", "upstreams"},
                             {"clusters", "upstreams"},
                             {"frontend", "listeners"},
                             {"frontends", "listeners"},
                             {"entrypoints", "listeners"},
                             {"targets", "servers"},
                             {"endpoints", "servers"},
                             {"url", "address"},
                             {"host", "address"},
                             {"rules", "routes"},
                             {"logging", "log"},
                             {"pidfile", "pid_file"},
                             {"threads", "workers"},
                             {"worker_processes", "workers"}};

std::string folded(std::string_view word) {
  std::string result(word);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '-') c = '_';
  }
  return result;
}

// The number of insertions, deletions, replacements and swaps of neighbours between two words.
std::size_t edit_distance(std::string_view from, std::string_view to) {
  const std::size_t width = to.size() + 1;
  std::vector<std::size_t> table((from.size() + 1) * width);
  const auto at = [&](std::size_t row, std::size_t column) -> std::size_t& { return table[row * width + column]; };
  for (std::size_t row = 0; row <= from.size(); ++row) at(row, 0) = row;
  for (std::size_t column = 0; column <= to.size(); ++column) at(0, column) = column;
  for (std::size_t row = 1; row <= from.size(); ++row) {
    for (std::size_t column = 1; column <= to.size(); ++column) {
      const std::size_t replaced = at(row - 1, column - 1) + (from[row - 1] == to[column - 1] ? 0 : 1);
      at(row, column) = std::min({at(row - 1, column) + 1, at(row, column - 1) + 1, replaced});
      const bool is_swap = row > 1 && column > 1 && from[row - 1] == to[column - 2] && from[row - 2] == to[column - 1];
      if (is_swap) at(row, column) = std::min(at(row, column), at(row - 2, column - 2) + 1);
    }
  }
  return at(from.size(), to.size());
}

}  // namespace

std::optional<std::string_view> suggest(std::string_view word, std::span<const std::string_view> known) {
  if (word.empty() || word.size() > word_bytes_max) return std::nullopt;
  const std::string meant = folded(word);
  std::optional<std::string_view> best;
  std::size_t best_distance = 0;
  for (const std::string_view candidate : known) {
    const std::string spelt = folded(candidate);
    const bool is_begun = meant.size() >= 3 && spelt.starts_with(meant);
    const std::size_t distance = is_begun ? 1 : edit_distance(meant, spelt);
    if (distance > 1 + std::min(meant.size(), spelt.size()) / 4) continue;
    if (best && distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  for (const Alias& alias : aliases) {
    if (best || meant != alias.theirs) continue;
    if (const auto found = std::ranges::find(known, alias.ours); found != known.end()) best = *found;
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
  const auto meant = suggest(word, known);
  return meant ? "; did you mean " + quote(*meant) + "?" : "";
}

}  // namespace baton::config
