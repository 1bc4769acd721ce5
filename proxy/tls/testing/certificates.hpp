// Certificates made on the fly, for tests: authorities, servers, clients, and files that hold them in PEM.
#pragma once

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include <unistd.h>

#include "config/config.hpp"
#include "proxy/tls/openssl.hpp"

namespace baton::tls::test {

enum class KeyType { ecdsa, rsa };

struct Wish {
  std::string common_name{};
  std::string names{};                 // as OpenSSL writes them: "DNS:a.example,IP:127.0.0.1"
  KeyType key = KeyType::ecdsa;
  int rsa_bits = 2048;
  bool is_authority = false;
  long from_s = -3600;                 // relative to now
  long until_s = 3600;
};

inline std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long bytes = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(bytes)};
}

inline std::string pem_of(X509* certificate) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(out.get(), certificate);
  return text_of(out.get());
}

// A key and the certificate that belongs to it.
struct Issued {
  KeyPtr key;
  X509Ptr certificate;

  std::string certificate_pem() const { return pem_of(certificate.get()); }
  std::string key_pem(const char* passphrase = nullptr) const {
    const BioPtr out(BIO_new(BIO_s_mem()));
    PEM_write_bio_PrivateKey(out.get(), key.get(), passphrase != nullptr ? EVP_aes_128_cbc() : nullptr, nullptr, 0,
                             nullptr, const_cast<char*>(passphrase));
    return text_of(out.get());
  }
};

inline void add_extension(X509* certificate, X509* issuer, int type, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, type, value.c_str());
  if (extension == nullptr) throw std::runtime_error("no such extension: " + value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Signed by `issuer`, or by itself.
inline Issued issue(const Wish& wish, const Issued* issuer = nullptr) {
  static std::atomic<long> serial = 1;
  Issued issued{KeyPtr(wish.key == KeyType::rsa ? EVP_RSA_gen(static_cast<unsigned>(wish.rsa_bits)) : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")),
                X509Ptr(X509_new())};
  X509* const certificate = issued.certificate.get();
  X509* const by = issuer != nullptr ? issuer->certificate.get() : certificate;
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), wish.from_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate), wish.until_s);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(wish.common_name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(by));
  X509_set_pubkey(certificate, issued.key.get());
  add_extension(certificate, by, NID_basic_constraints, wish.is_authority ? "critical,CA:TRUE" : "CA:FALSE");
  if (!wish.names.empty()) add_extension(certificate, by, NID_subject_alt_name, wish.names);
  if (X509_sign(certificate, (issuer != nullptr ? *issuer : issued).key.get(), EVP_sha256()) == 0) {
    throw std::runtime_error("no certificate can be made");
  }
  return issued;
}

inline const Issued& authority() {
  static const Issued authority = issue({.common_name = "Test Authority", .is_authority = true, .until_s = 86'400});
  return authority;
}

// A folder that goes away with it.
class Files {
 public:
  Files() {
    std::string name = (std::filesystem::temp_directory_path() / "baton-tls-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder can be made in " + name);
    folder_ = name;
  }
  ~Files() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  // As a configuration would name it, with a place that is told apart by its line.
  config::File write(const std::string& name, const std::string& text, int line = 1) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return missing(name, line);
  }
  config::File missing(const std::string& name, int line = 1) const {
    return {(folder_ / name).string(), {"baton.yaml", line, 5}};
  }
  config::Certificate write(const std::string& name, const Issued& issued, int line = 1) const {
    return {write(name + ".pem", issued.certificate_pem(), line), write(name + ".key", issued.key_pem(), line + 1)};
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace baton::tls::test
