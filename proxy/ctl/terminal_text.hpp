// Text of a terminal's lines: as wide as it is shown, with styles and small curves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace baton::ctl {

// Exactly so many columns: cut, which is shown by an ellipsis, or filled up.
std::string left(std::string_view text, std::size_t columns);
std::string right(std::string_view text, std::size_t columns);

enum class Style : std::uint8_t { plain, strong, quiet, good, warn, bad };

// A line that is no wider than the window.
class Line {
 public:
  Line(std::size_t columns, bool colours) : left_(columns), colours_(colours) {}

  // As much of it as there is room for.
  Line& add(std::string_view text, Style style = Style::plain);
  // At the right edge, if it fits.
  void end_with(std::string_view text, Style style);
  std::size_t left() const { return left_; }
  std::string take();

 private:
  std::string text_;
  std::size_t left_;
  bool colours_;
};

// Nothing: it is not known.
using Samples = std::vector<std::optional<double>>;
std::optional<double> last_of(const Samples& samples);
double most_of(const Samples& samples);
// At its right end the last sample; each character has the highest of its samples.
std::string curve(const Samples& samples, std::size_t width);

}  // namespace baton::ctl
