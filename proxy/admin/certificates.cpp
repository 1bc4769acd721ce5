#include "proxy/admin/certificates.hpp"

#include <fmt/format.h>
#include <boost/json.hpp>

#include <algorithm>
#include <ctime>
#include <set>
#include <tuple>
#include <utility>

#include "proxy/runtime/text.hpp"

namespace baton::admin {

namespace json = boost::json;

namespace {

json::string shown(const std::string& text) {
  return json::string(runtime::valid_utf8(text));
}

// As in RFC 3339.
std::string date_of(std::int64_t time_s) {
  const std::time_t time = time_s;
  std::tm utc{};
  if (::gmtime_r(&time, &utc) == nullptr) return {};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace

std::vector<CertificateStatus> listed(std::vector<CertificateStatus> certificates) {
  std::ranges::sort(certificates, {},
                    [](const CertificateStatus& one) { return std::tie(one.until_s, one.listener, one.path); });
  std::vector<CertificateStatus> kept;
  std::set<std::pair<std::string, std::string>> seen;
  for (CertificateStatus& one : certificates) {
    if (kept.size() == certificates_listed_max) break;
    // As they are shown: a series must not appear twice.
    one.listener = runtime::valid_utf8(one.listener);
    one.path = runtime::valid_utf8(one.path);
    if (seen.emplace(one.listener, one.path).second) kept.push_back(std::move(one));
  }
  return kept;
}

json::array certificates_json(const std::vector<CertificateStatus>& certificates) {
  json::array array;
  for (const CertificateStatus& one : certificates) {
    json::array names;
    for (const std::string& name : one.names) names.push_back(shown(name));
    array.push_back({{"listener", shown(one.listener)},
                     {"path", shown(one.path)},
                     {"names", std::move(names)},
                     {"not_after", date_of(one.until_s)},
                     {"days_left", one.days_left}});
  }
  return array;
}

}  // namespace baton::admin
