#include "proxy/tls/record_cipher.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include <new>

#include "proxy/tls/lasting.hpp"

namespace baton::tls {

namespace {

struct Ciphers {
  // Never freed: OpenSSL may end before our own variables do.
  EVP_CIPHER* const aes_128_gcm = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
  EVP_CIPHER* const aes_256_gcm = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  EVP_CIPHER* const chacha20_poly1305 = EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr);
};

void require(bool succeeded) {
  if (succeeded) return;
  ERR_clear_error();                  // a leftover would look like an error of this thread's next OpenSSL call
  throw std::bad_alloc{};
}

}  // namespace

const EVP_CIPHER* find_cipher(Aead aead) {
  static const Ciphers ciphers;
  switch (aead) {
    case Aead::aes_128_gcm: return ciphers.aes_128_gcm;
    case Aead::aes_256_gcm: return ciphers.aes_256_gcm;
    case Aead::chacha20_poly1305: return ciphers.chacha20_poly1305;
  }
  return nullptr;
}

RecordCipher::RecordCipher(const Suite& suite, Use use, const state::TlsSecrets& secrets) {
  const EVP_CIPHER* const cipher = find_cipher(suite.aead);  // which stays with the process
  const Lasting lasting;
  context_.reset(EVP_CIPHER_CTX_new());
  require(context_ != nullptr);
  require(EVP_CipherInit_ex2(context_.get(), cipher, secrets.key.data(), nullptr, static_cast<int>(use), nullptr) == 1);
}

void RecordCipher::set_key(const state::TlsSecrets& secrets) {
  require(EVP_CipherInit_ex2(context_.get(), nullptr, secrets.key.data(), nullptr, -1, nullptr) == 1);
}

bool RecordCipher::open(const Nonce& nonce, std::span<const unsigned char> additional,
                        std::span<const unsigned char> text, const unsigned char* tag, unsigned char* out) {
  // The tag is only read, although the parameter's type is not const.
  const std::array params{
      OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, const_cast<unsigned char*>(tag), tag_bytes),
      OSSL_PARAM_construct_end()};
  EVP_CIPHER_CTX* const context = context_.get();
  int bytes = 0;
  require(EVP_DecryptInit_ex2(context, nullptr, nullptr, nonce.data(), params.data()) == 1);
  require(EVP_DecryptUpdate(context, nullptr, &bytes, additional.data(), static_cast<int>(additional.size())) == 1);
  if (!text.empty()) {
    require(EVP_DecryptUpdate(context, out, &bytes, text.data(), static_cast<int>(text.size())) == 1);
  }
  if (EVP_DecryptFinal_ex(context, out + text.size(), &bytes) == 1) return true;
  ERR_clear_error();
  return false;
}

void RecordCipher::seal(const Nonce& nonce, std::span<const unsigned char> additional,
                        std::span<const unsigned char> data, std::span<const unsigned char> trailer,
                        unsigned char* out) {
  EVP_CIPHER_CTX* const context = context_.get();
  int bytes = 0;
  require(EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1);
  require(EVP_EncryptUpdate(context, nullptr, &bytes, additional.data(), static_cast<int>(additional.size())) == 1);
  for (const std::span<const unsigned char> part : {data, trailer}) {
    if (part.empty()) continue;
    require(EVP_EncryptUpdate(context, out, &bytes, part.data(), static_cast<int>(part.size())) == 1);
    out += part.size();
  }
  require(EVP_EncryptFinal_ex(context, out, &bytes) == 1);
  std::array params{OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, out, tag_bytes),
                    OSSL_PARAM_construct_end()};
  require(EVP_CIPHER_CTX_get_params(context, params.data()) == 1);
}

}  // namespace baton::tls
