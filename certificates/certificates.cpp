#include "certificates/certificates.hpp"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <stdexcept>

namespace baton::certificates {

namespace {

void demand(bool done) {
  if (!done) throw std::runtime_error("OpenSSL cannot make a certificate");
}

// The bytes that `write` writes into a BIO.
template <class Write>
std::string pem(const Write& write) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> memory(BIO_new(BIO_s_mem()), &BIO_free_all);
  demand(memory && write(memory.get()) == 1);
  char* bytes = nullptr;
  const long count = BIO_get_mem_data(memory.get(), &bytes);
  return {bytes, static_cast<std::size_t>(count)};
}

void add_extension(X509* certificate, X509* issuer, int type, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, type, value.c_str());
  if (extension == nullptr) throw std::runtime_error("no such extension: " + value);
  const bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  demand(added);
}

EVP_PKEY* new_key(const Wish& wish) {
  return wish.key == KeyType::rsa ? EVP_RSA_gen(static_cast<unsigned>(wish.rsa_bits))
                                  : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
}

}  // namespace

std::string alternative_names(const std::vector<std::string>& hosts) {
  std::string names;
  for (const std::string& host : hosts) {
    const bool is_ipv4 = host.find_first_not_of("0123456789.") == std::string::npos;
    names += (names.empty() ? "" : ",") + std::string(is_ipv4 ? "IP:" : "DNS:") + host;
  }
  return names;
}

std::string Issued::certificate_pem() const {
  return pem([&](BIO* to) { return PEM_write_bio_X509(to, certificate.get()); });
}

std::string Issued::key_pem(const char* passphrase) const {
  return pem([&](BIO* to) {
    return PEM_write_bio_PrivateKey(to, key.get(), passphrase != nullptr ? EVP_aes_128_cbc() : nullptr, nullptr, 0,
                                    nullptr, const_cast<char*>(passphrase));
  });
}

Issued issue(const Wish& wish, const Issued* issuer) {
  Issued issued;
  issued.key.reset(new_key(wish));
  issued.certificate.reset(X509_new());
  demand(issued.key && issued.certificate);
  X509* const made = issued.certificate.get();
  X509* const by = issuer != nullptr ? issuer->certificate.get() : made;
  std::uint64_t serial = 0;
  demand(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial - 1) == 1);
  demand(X509_set_version(made, X509_VERSION_3) == 1);
  demand(ASN1_INTEGER_set_uint64(X509_get_serialNumber(made), serial) == 1);
  demand(X509_gmtime_adj(X509_getm_notBefore(made), wish.from_s) != nullptr);
  demand(X509_gmtime_adj(X509_getm_notAfter(made), wish.until_s) != nullptr);
  if (!wish.common_name.empty()) {  // OpenSSL rejects an empty one
    const auto* name = reinterpret_cast<const unsigned char*>(wish.common_name.c_str());
    demand(X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8, name, -1, -1, 0) == 1);
  }
  const std::string unit(63, 'u');
  for (unsigned i = 0; i < wish.units; ++i) {
    const auto* text = reinterpret_cast<const unsigned char*>(unit.c_str());
    demand(X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "OU", MBSTRING_UTF8, text, -1, -1, 0) == 1);
  }
  demand(X509_set_issuer_name(made, X509_get_subject_name(by)) == 1);
  demand(X509_set_pubkey(made, issued.key.get()) == 1);
  add_extension(made, by, NID_subject_key_identifier, "hash");
  if (issuer != nullptr) add_extension(made, by, NID_authority_key_identifier, "keyid");
  add_extension(made, by, NID_basic_constraints, wish.is_authority ? "critical,CA:TRUE" : "CA:FALSE");
  // Some tests use an authority's certificate for a server too.
  if (wish.is_authority) add_extension(made, by, NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign");
  if (!wish.names.empty()) add_extension(made, by, NID_subject_alt_name, wish.names);
  demand(X509_sign(made, (issuer != nullptr ? *issuer : issued).key.get(), EVP_sha256()) != 0);
  return issued;
}

}  // namespace baton::certificates
