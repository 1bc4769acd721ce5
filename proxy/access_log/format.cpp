#include "proxy/access_log/format.hpp"

#include <fmt/format.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace baton::access_log {

namespace {

// Without characters that could end a field of the header (RFC 5424 §6).
std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "-";
  std::string text(name.data());
  std::erase_if(text, [](char c) { return c <= ' ' || c > '~'; });
  return text.empty() ? "-" : text;
}

}  // namespace

Format format_of(const config::AccessLog& log) {
  Format format{.name = log.format, .text = log.text, .in_quotes = {}, .syslog_name = {}};
  bool is_open = false;
  for (const config::Template::Part& part : log.text.parts()) {
    is_open = is_open != (std::ranges::count(part.text, '"') % 2 == 1);
    format.in_quotes.push_back(is_open);
  }
  if (log.syslog) format.syslog_name = fmt::format(" {} baton {} access - ", host_name(), ::getpid());
  return format;
}

}  // namespace baton::access_log
