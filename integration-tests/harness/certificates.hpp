// A certificate authority for one test and the certificates it signs, as PEM files in a directory.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

#include "harness/temp_dir.hpp"

namespace baton::harness {

enum class KeyType { ecdsa, rsa };

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

  // The CA file for whoever trusts it.
  std::string path() const { return path_; }

  // For these hosts (names, wildcards, IPv4 addresses); the first is the common name and the file name.
  Certificate issue(const std::vector<std::string>& hosts, KeyType type = KeyType::ecdsa);
  Certificate issue_expired(const std::string& host);
  // For a client, which has no host name.
  Certificate issue_to(const std::string& common_name);

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { X509_free(certificate); }
  };
  using Key = std::unique_ptr<EVP_PKEY, Free>;
  using Signed = std::unique_ptr<X509, Free>;

  Certificate write(const std::string& common_name, const std::string& alternative_names, KeyType type, bool expired);
  static Key new_key(KeyType type);
  Signed sign(EVP_PKEY* subject_key, const std::string& common_name, const std::string& alternative_names,
              bool is_authority, bool expired);

  const TempDir& directory_;
  const std::string name_;
  const std::string path_;
  const Key key_;
  const Signed certificate_;
  int issued_ = 0;
};

}  // namespace baton::harness
