#include "harness/certificates.hpp"

#include <utility>

namespace baton::harness {

namespace {

constexpr long day_s = 24 * 3600;

certificates::Wish for_a_month(certificates::Wish wish) {
  wish.from_s = -10 * day_s;
  wish.until_s = 30 * day_s;
  return wish;
}

}  // namespace

Authority::Authority(const TempDir& directory, const std::string& name)
    : directory_(directory),
      name_(name),
      path_(directory / (name + ".pem")),
      authority_(certificates::issue(for_a_month({.common_name = name, .is_authority = true}))) {
  replace_file(path_, authority_.certificate_pem());
}

Certificate Authority::issue(const std::vector<std::string>& hosts, KeyType type) {
  return write(
      for_a_month({.common_name = hosts.front(), .names = certificates::alternative_names(hosts), .key = type}));
}

Certificate Authority::issue_expired(const std::string& host) {
  certificates::Wish wish = for_a_month({.common_name = host, .names = certificates::alternative_names({host})});
  wish.until_s = -day_s;
  return write(wish);
}

Certificate Authority::issue_until(const std::string& host, long until_s) {
  certificates::Wish wish = for_a_month({.common_name = host, .names = certificates::alternative_names({host})});
  wish.from_s = -80 * day_s;
  wish.until_s = until_s;
  return write(wish);
}

Certificate Authority::issue_to(const std::string& common_name) {
  return write(for_a_month({.common_name = common_name}));
}

Certificate Authority::write(const certificates::Wish& wish) {
  const certificates::Issued issued = certificates::issue(wish, &authority_);
  const std::string stem = directory_ / (name_ + "-" + std::to_string(++issued_));
  replace_file(stem + ".pem", issued.certificate_pem());
  replace_file(stem + ".key", issued.key_pem());
  return {stem + ".pem", stem + ".key"};
}

}  // namespace baton::harness
