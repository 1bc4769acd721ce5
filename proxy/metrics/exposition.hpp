// Metrics as text: Prometheus' exposition format, version 0.0.4, or OpenMetrics 1.0.0.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "proxy/metrics/families.hpp"

namespace baton::metrics {

enum class Format : std::uint8_t { prometheus, openmetrics };

std::string_view content_type(Format format);
// Which one a request wants, by its Accept field.
Format format_for(std::string_view accept);

class Exposition {
 public:
  explicit Exposition(Format format) : format_(format) {}

  // The samples that follow belong to this family.
  void family(const Family& family, std::string_view prefix = "baton_");
  void family(std::string_view name, Type type, std::string_view help) { family(Family{name, type, help}); }
  // `labels`: as in the name of a series, with braces; or nothing.
  void sample(std::string_view labels, std::uint64_t number);
  void sample(std::string_view labels, double number);
  void sample(Labels labels, std::uint64_t number) { sample(series_name({}, labels), number); }
  void sample(Labels labels, double number) { sample(series_name({}, labels), number); }
  // Of a histogram: the numbers as in the ledger.
  void histogram(std::string_view labels, std::span<const std::uint64_t> numbers);

  std::string take() &&;

 private:
  void line(std::string_view suffix, std::string_view labels, std::string_view number);
  std::string bound_text(double bound) const;

  Format format_;
  std::string name_;  // of the family, without `_total` and `_info`
  Family family_{};
  std::string text_;
};

}  // namespace baton::metrics
