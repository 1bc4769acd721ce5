#include "tls/forger.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include <memory>

namespace baton::harness {

namespace {

constexpr std::size_t tag_bytes = 16;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

// HKDF-Expand-Label with an empty context (RFC 8446 §7.1).
std::string expand(std::string secret, const std::string& label, std::size_t bytes) {
  std::string info{'\0', static_cast<char>(bytes), static_cast<char>(label.size() + 6)};
  info += "tls13 " + label + std::string(1, '\0');
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
                                   OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret.data(), secret.size()),
                                   OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
                                   OSSL_PARAM_construct_end()};
  EVP_KDF* kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  EVP_KDF_CTX* context = EVP_KDF_CTX_new(kdf);
  std::string out(bytes, '\0');
  EVP_KDF_derive(context, bytes_of(out), out.size(), parameters);
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(kdf);
  return out;
}

}  // namespace

Forger::Forger(const std::string& traffic_secret)
    : key_(expand(traffic_secret, "key", 16)), iv_(expand(traffic_secret, "iv", 12)) {}

std::string Forger::seal_inner(std::string_view inner) {
  const std::size_t length = inner.size() + tag_bytes;
  std::string record{23, 3, 3, static_cast<char>(length >> 8), static_cast<char>(length)};
  std::string nonce = iv_;
  for (std::size_t i = 0; i < 8; ++i)
    nonce[11 - i] = static_cast<char>(nonce[11 - i] ^ static_cast<char>(sequence_ >> (8 * i)));
  ++sequence_;
  std::string out(length, '\0');
  int bytes = 0;
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), nullptr, bytes_of(key_), bytes_of(nonce));
  EVP_EncryptUpdate(context, nullptr, &bytes, bytes_of(record), static_cast<int>(record.size()));
  EVP_EncryptUpdate(context, bytes_of(out), &bytes, bytes_of(inner), static_cast<int>(inner.size()));
  EVP_EncryptFinal_ex(context, bytes_of(out) + bytes, &bytes);
  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, tag_bytes, bytes_of(out) + inner.size());
  EVP_CIPHER_CTX_free(context);
  return record + out;
}

}  // namespace baton::harness
