// What the status and the metrics report of the listeners' certificates.
#pragma once

#include <boost/json/fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace baton::admin {

struct CertificateStatus {
  std::string listener;
  std::string path;
  std::vector<std::string> names;
  std::int64_t until_s = 0;    // since 1970
  std::int64_t days_left = 0;  // negative: it has expired
};

// The status and the metrics list no more, so that folders with any number of certificates do not make them grow.
inline constexpr std::size_t certificates_listed_max = 1000;

// Each path of a listener once; those that expire first come first, and what is beyond the limit is left out.
std::vector<CertificateStatus> listed(std::vector<CertificateStatus> certificates);

boost::json::array certificates_json(const std::vector<CertificateStatus>& certificates);

}  // namespace baton::admin
