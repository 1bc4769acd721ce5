// For tests: the same result as `MatchedPath`, computed simply and with allocations.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace baton::config {

inline std::string slowly_decoded(std::string_view text) {
  const std::string_view digits = "0123456789abcdef0123456789ABCDEF";
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto high = i + 2 < text.size() ? digits.find(text[i + 1]) : std::string_view::npos;
    const auto low = i + 2 < text.size() ? digits.find(text[i + 2]) : std::string_view::npos;
    const bool is_encoded = text[i] == '%' && high != std::string_view::npos && low != std::string_view::npos;
    result += is_encoded ? static_cast<char>(high % 16 * 16 + low % 16) : text[i];
    if (is_encoded) i += 2;
  }
  return result;
}

// `path` begins with a slash and may have a query.
inline std::string slowly_matched(std::string_view path) {
  const std::string decoded = slowly_decoded(path.substr(0, path.find('?')));
  std::vector<std::string> segments;
  bool ends_in_slash = false;
  for (std::size_t begin = 1; begin <= decoded.size();) {
    const std::size_t end = std::min(decoded.find('/', begin), decoded.size());
    const std::string segment = decoded.substr(begin, end - begin);
    ends_in_slash = end < decoded.size() || segment.empty() || segment == "." || segment == "..";
    if (segment == ".." && !segments.empty()) segments.pop_back();
    if (!segment.empty() && segment != "." && segment != "..") segments.push_back(segment);
    begin = end + 1;
  }
  std::string result;
  for (const std::string& segment : segments) result += "/" + segment;
  return result + (ends_in_slash || result.empty() ? "/" : "");
}

}  // namespace baton::config
