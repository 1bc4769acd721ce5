// Makes keys and certificates: authorities, servers, clients, self-signed ones. For tests and the demo.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

namespace baton::certificates {

enum class KeyType { ecdsa, rsa };

struct Wish {
  std::string common_name = {};
  unsigned units = 0;      // this many extra OUs of 63 letters in the subject
  std::string names = {};  // as OpenSSL writes them: "DNS:a.example,IP:127.0.0.1"
  KeyType key = KeyType::ecdsa;
  int rsa_bits = 2048;
  bool is_authority = false;
  long from_s = -3600;  // relative to now
  long until_s = 3600;
};

// Host names, wildcards and IPv4 addresses in the form of `Wish::names`.
std::string alternative_names(const std::vector<std::string>& hosts);

// A key and the certificate that belongs to it.
struct Issued {
  struct Free {
    void operator()(EVP_PKEY* owned) const { EVP_PKEY_free(owned); }
    void operator()(X509* owned) const { X509_free(owned); }
  };
  std::unique_ptr<EVP_PKEY, Free> key;
  std::unique_ptr<X509, Free> certificate;

  std::string certificate_pem() const;
  std::string key_pem(const char* passphrase = nullptr) const;
};

// Signed by `issuer`, or by itself. Keys: ECDSA on P-256, or RSA. Throws std::runtime_error.
Issued issue(const Wish& wish, const Issued* issuer = nullptr);

}  // namespace baton::certificates
