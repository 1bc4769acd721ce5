#include "config/scalars.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <span>
#include <system_error>

#include "config/text.hpp"

namespace baton::config {
namespace {

struct Unit {
  std::string_view text;
  std::uint64_t factor;
};

// From the largest to the smallest, so that printing takes the first that divides.
constexpr Unit size_units[] = {{"g", gibi}, {"m", mebi}, {"k", kibi}};
constexpr Unit upper_case_size_units[] = {{"G", gibi}, {"M", mebi}, {"K", kibi}};
constexpr Unit duration_units[] = {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}};

struct Number {
  std::uint64_t value;
  std::string_view unit;
};

// Digits and whatever follows them.
Parsed<Number> split(std::string_view text) {
  if (text.empty()) return std::unexpected("a number is missing");
  if (text.front() == '-') return std::unexpected(quote(text) + " must not be negative");
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument) return std::unexpected(quote(text) + " is not a number");
  if (error == std::errc::result_out_of_range) return std::unexpected(quote(text) + " is too large");
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (unit.starts_with('.') || unit.starts_with(',')) {
    return std::unexpected(quote(text) + " must be a whole number");
  }
  return Number{value, unit};
}

const Unit* find_unit(std::span<const Unit> units, std::string_view text) {
  const auto found = std::ranges::find(units, text, &Unit::text);
  return found == units.end() ? nullptr : &*found;
}

template <class Text>
Parsed<std::uint64_t> within(std::string_view text, std::uint64_t value, std::uint64_t factor, Bounds bounds,
                             Text text_of) {
  if (value == 0 && bounds.zero_is_none) return 0;
  const bool fits = value <= std::numeric_limits<std::uint64_t>::max() / factor;
  if (fits && value * factor >= bounds.least && value * factor <= bounds.most) return value * factor;
  return std::unexpected(fmt::format("{} must be from {} to {}{}", quote(text), text_of(bounds.least),
                                     text_of(bounds.most), bounds.zero_is_none ? ", or 0 for no limit" : ""));
}

std::string with_unit(std::uint64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) return fmt::format("{}{}", value / unit.factor, unit.text);
  }
  return std::to_string(value);
}

std::string milliseconds_text(std::uint64_t milliseconds) {
  return milliseconds == 0 ? "0s" : with_unit(milliseconds, duration_units);
}

}  // namespace

Parsed<std::uint64_t> parse_count(std::string_view text, Bounds bounds) {
  const auto number = split(text);
  if (!number) return std::unexpected(number.error());
  if (!number->unit.empty()) return std::unexpected(quote(text) + " must be a plain number without a unit");
  return within(text, number->value, 1, bounds, [](std::uint64_t value) { return std::to_string(value); });
}

Parsed<std::uint16_t> parse_share(std::string_view text, Bounds bounds) {
  const std::string_view number = text.substr(0, text.size() - (text.ends_with('%') ? 1 : 0));
  const std::size_t point = std::min(number.find('.'), number.size());
  std::string decimals(number.substr(std::min(point + 1, number.size())));
  const bool is_written_well =
      text.ends_with('%') && point > 0 && decimals.size() <= 2 && (point == number.size() || !decimals.empty());
  decimals.resize(2, '0');
  const auto hundredths = parse_count(is_written_well ? std::string(number.substr(0, point)) + decimals : "", bounds);
  if (hundredths) return static_cast<std::uint16_t>(*hundredths);
  return std::unexpected(fmt::format("{} is not a share from {} to {}; write it like 5% or 0.25%", quote(text),
                                     share_text(bounds.least), share_text(bounds.most)));
}

Parsed<std::uint64_t> parse_size(std::string_view text, Bounds bounds) {
  const auto number = split(text);
  if (!number) return std::unexpected(number.error());
  std::uint64_t factor = 1;
  if (!number->unit.empty()) {
    const Unit* unit = find_unit(size_units, number->unit);
    if (!unit) unit = find_unit(upper_case_size_units, number->unit);
    if (!unit) return std::unexpected(quote(text) + " is not a size; write bytes, or 64k, 1m, 1g");
    factor = unit->factor;
  }
  return within(text, number->value, factor, bounds, size_text);
}

Parsed<Milliseconds> parse_duration(std::string_view text, Bounds bounds) {
  const auto number = split(text);
  if (!number) return std::unexpected(number.error());
  std::uint64_t factor = 1;
  if (number->unit.empty()) {
    if (number->value != 0) return std::unexpected(quote(text) + " needs a unit: 500ms, 5s, 1m or 1h");
  } else {
    const Unit* unit = find_unit(duration_units, number->unit);
    if (!unit) return std::unexpected(quote(text) + " is not a duration; write 500ms, 5s, 1m or 1h");
    factor = unit->factor;
  }
  const auto milliseconds = within(text, number->value, factor, bounds, milliseconds_text);
  if (!milliseconds) return std::unexpected(milliseconds.error());
  return Milliseconds(*milliseconds);
}

std::string share_text(std::uint64_t hundredths) {
  return fmt::format("{:g}%", static_cast<double>(hundredths) / 100.0);
}

std::string size_text(std::uint64_t bytes) {
  return with_unit(bytes, size_units);
}

std::string duration_text(Milliseconds duration) {
  return milliseconds_text(static_cast<std::uint64_t>(duration.count()));
}

}  // namespace baton::config
