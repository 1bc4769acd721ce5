#include "proxy/metrics/exposition.hpp"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace baton::metrics {

namespace {

std::string_view type_text(Type type, Format format) {
  switch (type) {
    case Type::counter:
      return "counter";
    case Type::histogram:
      return "histogram";
    case Type::info:
      return format == Format::openmetrics ? "info" : "gauge";
    case Type::gauge:
      break;
  }
  return "gauge";
}

std::string_view suffix_of(Type type) {
  return type == Type::counter ? "_total" : type == Type::info ? "_info" : "";
}

// Of a media type in an Accept field; 0: it is not listed.
double quality_of(std::string_view accept, std::string_view type) {
  const std::size_t at = accept.find(type);
  if (at == std::string_view::npos) return 0;
  const std::string_view parameters = accept.substr(at, accept.find(',', at) - at);
  const std::size_t q = parameters.find("q=");
  if (q == std::string_view::npos) return 1;
  double quality = 0;
  (void)std::from_chars(parameters.data() + q + 2, parameters.data() + parameters.size(), quality);
  return quality;
}

}  // namespace

std::string_view content_type(Format format) {
  return format == Format::openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                       : "text/plain; version=0.0.4; charset=utf-8";
}

// Prometheus lists OpenMetrics only where it can read it, and says by `q` what it prefers (RFC 9110 §12.5.1).
Format format_for(std::string_view accept) {
  const double openmetrics = quality_of(accept, "application/openmetrics-text");
  const double text = quality_of(accept, "text/plain");
  return openmetrics > 0 && openmetrics >= text ? Format::openmetrics : Format::prometheus;
}

void Exposition::family(const Family& family, std::string_view prefix) {
  family_ = family;
  name_ = prefix;
  const std::string_view suffix = suffix_of(family.type);
  name_ += family.name.substr(0, family.name.size() - (family.name.ends_with(suffix) ? suffix.size() : 0));
  const std::string_view shown = format_ == Format::openmetrics ? std::string_view() : suffix;
  text_ += fmt::format("# HELP {}{} {}\n# TYPE {}{} {}\n", name_, shown, family.help, name_, shown,
                       type_text(family.type, format_));
}

void Exposition::line(std::string_view suffix, std::string_view labels, std::string_view number) {
  text_.append(name_).append(suffix).append(labels).append(" ").append(number).append("\n");
}

void Exposition::sample(std::string_view labels, std::uint64_t number) {
  line(suffix_of(family_.type), labels, std::to_string(number));
}

void Exposition::sample(std::string_view labels, double number) {
  line(suffix_of(family_.type), labels, fmt::format("{}", number));
}

// OpenMetrics wants to see that it is no integer.
std::string Exposition::bound_text(double bound) const {
  std::string text = fmt::format("{:.10g}", bound);
  if (format_ == Format::openmetrics && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

void Exposition::histogram(std::string_view labels, std::span<const std::uint64_t> numbers) {
  const std::size_t bounds = family_.bounds.size();
  if (numbers.size() != bounds + 2) return;  // of another version
  // The labels, open for one more.
  std::string open = labels.empty() ? "{" : std::string(labels.substr(0, labels.size() - 1)) + ",";
  open += "le=\"";
  std::uint64_t count = 0;
  for (std::size_t i = 0; i <= bounds; ++i) {
    count += numbers[i];
    const std::string bound =
        i < bounds ? bound_text(static_cast<double>(family_.bounds[i]) * family_.unit) : std::string("+Inf");
    line("_bucket", open + bound + "\"}", std::to_string(count));
  }
  line("_sum", labels, fmt::format("{:.6f}", static_cast<double>(numbers[bounds + 1]) * family_.unit));
  line("_count", labels, std::to_string(count));
}

std::string Exposition::take() && {
  if (format_ == Format::openmetrics) text_ += "# EOF\n";
  return std::move(text_);
}

}  // namespace baton::metrics
