#include "demo/page_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <iterator>

namespace baton::demo {
namespace {

struct Place {
  std::string_view method;
  std::string_view target;
  Asked asked;
};
constexpr Place places[] = {
    {"GET", "/", Asked::page},
    {"GET", "/page/serving", Asked::serving},
    {"GET", "/page/download", Asked::download},
    {"GET", "/page/ticks", Asked::ticks},
    {"POST", "/page/upgrade", Asked::upgrade},
    {"POST", "/page/failing-upgrade", Asked::failing_upgrade},
    {"POST", "/page/dropped", Asked::dropped},
};

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.rfind(':'));
}

bool is_no_name(std::string_view host) {
  const std::string_view name = without_port(host);
  boost::system::error_code error;
  boost::asio::ip::make_address(name, error);
  return !error || name == "localhost";
}

bool is_origin_of(std::string_view origin, std::string_view host) {
  const std::size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && !host.empty() && origin.substr(scheme + 3) == host;
}

bool is_own(const PageRequest& request) {
  const bool own_origin = is_origin_of(request.origin, request.host);
  if (request.method != "POST") return request.origin.empty() || own_origin;
  return own_origin && is_no_name(request.host) && (request.fetch_site.empty() || request.fetch_site == "same-origin");
}

}  // namespace

Asked judge(const PageRequest& request) {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  const auto place = std::ranges::find(places, path, &Place::target);
  if (place == std::end(places)) return Asked::not_found;
  if (place->method != request.method) return Asked::wrong_method;
  return is_own(request) ? place->asked : Asked::foreign;
}

std::string download_lines(std::uint64_t first, std::uint64_t count) {
  std::string lines;
  lines.reserve(count * download_line_bytes);
  for (std::uint64_t i = 0; i < count; ++i) fmt::format_to(std::back_inserter(lines), "{:015}\n", first + i);
  return lines;
}

}  // namespace baton::demo
