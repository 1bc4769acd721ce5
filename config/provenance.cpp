#include "config/provenance.hpp"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

namespace baton::config {
namespace {

constexpr std::string_view read_at = "# read at ";
constexpr std::string_view applied_at = "# applied at ";

std::optional<Provenance> parse(std::string_view line) {
  const bool is_applied = line.starts_with(applied_at);
  if (!is_applied && !line.starts_with(read_at)) return std::nullopt;
  line.remove_prefix(is_applied ? applied_at.size() : read_at.size());
  Provenance provenance{.is_applied = is_applied};
  const char* const end = line.data() + line.size();
  const auto [stop, error] = std::from_chars(line.data(), end, provenance.at_ms);
  if (error != std::errc{} || stop != end || provenance.at_ms < 0) return std::nullopt;
  return provenance;
}

}  // namespace

std::string provenance_line(const Provenance& provenance) {
  return fmt::format("{}{}\n", provenance.is_applied ? applied_at : read_at, provenance.at_ms);
}

std::optional<Provenance> provenance_of(const std::string& text) {
  const std::size_t end = text.find('\n');
  return end == std::string::npos ? std::nullopt : parse(std::string_view(text).substr(0, end));
}

std::optional<Provenance> take_provenance(std::string& text) {
  const auto provenance = provenance_of(text);
  if (provenance) text.erase(0, text.find('\n') + 1);
  return provenance;
}

}  // namespace baton::config
