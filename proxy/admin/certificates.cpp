#include "proxy/admin/certificates.hpp"

#include <boost/json.hpp>

#include <algorithm>
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
                     {"not_after", runtime::utc_text(one.until_s)},
                     {"days_left", one.days_left}});
  }
  return array;
}

}  // namespace baton::admin
