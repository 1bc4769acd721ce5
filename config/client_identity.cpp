#include "config/client_identity.hpp"

#include <algorithm>
#include <string>

namespace baton::config {

namespace {

bool is_listed(std::string_view folded) {
  return folded.starts_with("x-forwarded-") ||
         std::ranges::find(client_identity_names, folded) != std::ranges::end(client_identity_names);
}

}  // namespace

bool names_client_identity(std::string_view name) {
  std::string folded;
  bool is_plain = true;  // letters, digits and hyphens
  for (const char c : name) {
    const bool is_upper = c >= 'A' && c <= 'Z';
    const bool is_other = !is_upper && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-';
    folded += is_upper ? static_cast<char>(c - 'A' + 'a') : is_other ? '-' : c;
    is_plain = is_plain && !is_other;
  }
  if (is_listed(folded)) return true;
  constexpr std::string_view variable = "http-";
  return !is_plain && folded.starts_with(variable) && is_listed(std::string_view(folded).substr(variable.size()));
}

}  // namespace baton::config
