#include "proxy/ctl/terminal_text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "proxy/runtime/text.hpp"

namespace baton::ctl {

namespace {

// How many columns a terminal gives a character, at most.
std::size_t columns_of(std::string_view character) {
  if (character.size() <= 1) return 1;
  unsigned code = static_cast<unsigned char>(character[0]) & (0xffu >> (character.size() + 1));
  for (const char byte : character.substr(1)) code = code << 6 | (static_cast<unsigned char>(byte) & 0x3fu);
  const bool is_narrow = code < 0x1100 || (code >= 0x2000 && code < 0x2e80) || code == 0xfffd;
  return is_narrow ? 1 : 2;
}

// The same text, cut to `columns`, and its width.
std::string fitting(std::string_view text, std::size_t columns, std::size_t& width) {
  std::string out;
  width = 0;
  while (!text.empty()) {
    const std::string_view character = text.substr(0, std::max<std::size_t>(runtime::utf8_character_bytes(text), 1));
    const std::size_t more = columns_of(character);
    if (width + more > columns) break;
    out += character;
    width += more;
    text.remove_prefix(character.size());
  }
  return out;
}
std::size_t width_of(std::string_view text) {
  std::size_t width = 0;
  fitting(text, text.size() * 2, width);
  return width;
}
std::string_view code_of(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::strong:
      return "\x1b[1m";
    case Style::quiet:
      return "\x1b[2m";
    case Style::good:
      return "\x1b[32m";
    case Style::warn:
      return "\x1b[33m";
    case Style::bad:
      return "\x1b[31m";
  }
  return "";
}

}  // namespace

std::string left(std::string_view text, std::size_t columns) {
  std::size_t width = 0;
  std::string out = fitting(text, columns, width);
  if (out.size() < text.size() && columns > 1) {
    out = fitting(text, columns - 1, width) + "…";
    ++width;
  }
  return out + std::string(columns - width, ' ');
}

std::string right(std::string_view text, std::size_t columns) {
  std::size_t width = 0;
  const std::string out = fitting(text, columns, width);
  return std::string(columns - width, ' ') + out;
}

Line& Line::add(std::string_view text, Style style) {
  std::size_t width = 0;
  const std::string fits = fitting(text, left_, width);
  left_ -= width;
  if (fits.empty()) return *this;
  const std::string_view code = colours_ ? code_of(style) : std::string_view();
  text_.append(code).append(fits).append(code.empty() ? "" : "\x1b[0m");
  return *this;
}

void Line::end_with(std::string_view text, Style style) {
  const std::size_t width = width_of(text);
  if (width + 2 > left_) return;
  add(std::string(left_ - width, ' '));
  add(text, style);
}

std::string Line::take() {
  if (!text_.ends_with('m')) text_.erase(text_.find_last_not_of(' ') + 1);
  return std::move(text_);
}

std::optional<double> last_of(const Samples& samples) {
  const auto last = std::find_if(samples.rbegin(), samples.rend(), [](const auto& one) { return one.has_value(); });
  return last == samples.rend() ? std::nullopt : *last;
}

double most_of(const Samples& samples) {
  double most = 0;
  for (const auto& one : samples) most = std::max(most, one.value_or(0));
  return most;
}

std::string curve(const Samples& samples, std::size_t width) {
  static constexpr std::array<std::string_view, 8> levels{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (samples.empty() || width == 0) return {};
  const std::size_t each = (samples.size() + width - 1) / width;
  const double most = most_of(samples);
  std::string out;
  const std::size_t shown = (samples.size() + each - 1) / each;
  for (std::size_t i = 0; i < shown; ++i) {
    std::optional<double> highest;
    for (std::size_t at = i * each; at < std::min(samples.size(), (i + 1) * each); ++at) {
      if (samples[at]) highest = std::max(highest.value_or(0), *samples[at]);
    }
    if (!highest) {
      out += ' ';
    } else {
      const double share = most > 0 ? std::clamp(*highest / most, 0.0, 1.0) : 0;
      out += levels[static_cast<std::size_t>(std::lround(share * (levels.size() - 1)))];
    }
  }
  return std::string(width - shown, ' ') + out;
}

}  // namespace baton::ctl
