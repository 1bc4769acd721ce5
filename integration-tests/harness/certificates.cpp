#include "harness/certificates.hpp"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdio>

#include "harness/deadline.hpp"

namespace baton::harness {

namespace {

constexpr long day_s = 24 * 3600;

void add_extension(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  if (extension == nullptr) throw Failure("no such extension: " + value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

template <class Write>
void write_pem(const std::string& path, const Write& write) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) throw Failure("cannot write " + path);
  write(file);
  std::fclose(file);
}

bool is_ipv4(const std::string& host) {
  return host.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace

Authority::Authority(const TempDir& directory, const std::string& name)
    : directory_(directory),
      name_(name),
      path_(directory / (name + ".pem")),
      key_(new_key(KeyType::ecdsa)),
      certificate_(sign(key_.get(), name, "", true, false)) {
  write_pem(path_, [&](std::FILE* file) { PEM_write_X509(file, certificate_.get()); });
}

Certificate Authority::issue(const std::vector<std::string>& hosts, KeyType type) {
  std::string names;
  for (const std::string& host : hosts)
    names += (names.empty() ? "" : ",") + std::string(is_ipv4(host) ? "IP:" : "DNS:") + host;
  return write(hosts.front(), names, type, false);
}

Certificate Authority::issue_expired(const std::string& host) {
  return write(host, "DNS:" + host, KeyType::ecdsa, true);
}

Certificate Authority::issue_to(const std::string& common_name) {
  return write(common_name, "", KeyType::ecdsa, false);
}

Certificate Authority::write(const std::string& common_name, const std::string& alternative_names, KeyType type,
                             bool expired) {
  const Key key = new_key(type);
  const Signed certificate = sign(key.get(), common_name, alternative_names, false, expired);
  const std::string stem = directory_ / (name_ + "-" + std::to_string(++issued_));
  write_pem(stem + ".pem", [&](std::FILE* file) { PEM_write_X509(file, certificate.get()); });
  write_pem(stem + ".key",
            [&](std::FILE* file) { PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  return {stem + ".pem", stem + ".key"};
}

Authority::Key Authority::new_key(KeyType type) {
  EVP_PKEY* key = type == KeyType::rsa ? EVP_RSA_gen(2048) : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  if (key == nullptr) throw Failure("no key could be made");
  return Key(key);
}

Authority::Signed Authority::sign(EVP_PKEY* subject_key, const std::string& common_name,
                                  const std::string& alternative_names, bool is_authority, bool expired) {
  Signed certificate(X509_new());
  X509* const made = certificate.get();
  X509* const issuer = is_authority ? made : certificate_.get();
  X509_set_version(made, X509_VERSION_3);
  std::uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial - 1);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(made), serial);
  X509_gmtime_adj(X509_getm_notBefore(made), -10 * day_s);
  X509_gmtime_adj(X509_getm_notAfter(made), expired ? -day_s : 30 * day_s);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
  X509_set_issuer_name(made, X509_get_subject_name(issuer));
  X509_set_pubkey(made, subject_key);
  add_extension(made, issuer, NID_subject_key_identifier, "hash");
  if (is_authority) {
    add_extension(made, issuer, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(made, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    add_extension(made, issuer, NID_authority_key_identifier, "keyid");
  }
  if (!alternative_names.empty()) add_extension(made, issuer, NID_subject_alt_name, alternative_names);
  if (X509_sign(made, is_authority ? subject_key : key_.get(), EVP_sha256()) == 0) throw Failure("not signed");
  return certificate;
}

}  // namespace baton::harness
