// A certificate authority for one test and the certificates it signs, as PEM files in a directory.
#pragma once

#include <string>
#include <vector>

#include "certificates/certificates.hpp"
#include "harness/temp_dir.hpp"

namespace baton::harness {

using certificates::KeyType;

struct Certificate {
  std::string cert;  // paths
  std::string key;

  // As an entry of `certificates`.
  std::string yaml() const { return "{ cert: " + cert + ", key: " + key + " }"; }
};

class Authority {
 public:
  // Its files are NAME.pem and so on. The directory must outlive it.
  explicit Authority(const TempDir& directory, const std::string& name = "authority");

  // The CA file for programs that trust it.
  std::string path() const { return path_; }

  // For these hosts (names, wildcards, IPv4 addresses); the first is the common name and the file name.
  Certificate issue(const std::vector<std::string>& hosts, KeyType type = KeyType::ecdsa);
  Certificate issue_expired(const std::string& host);
  // It is 80 days old and has this long to live.
  Certificate issue_until(const std::string& host, long until_s);
  // For a client, which has no host name.
  Certificate issue_to(const std::string& common_name);

 private:
  Certificate write(const certificates::Wish& wish);

  const TempDir& directory_;
  const std::string name_;
  const std::string path_;
  const certificates::Issued authority_;
  int issued_ = 0;
};

}  // namespace baton::harness
