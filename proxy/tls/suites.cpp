#include "proxy/tls/suites.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <string>

namespace baton::tls {

namespace {

constexpr std::array all_suites{
    Suite{0x1301, tls13, "TLS_AES_128_GCM_SHA256", Aead::aes_128_gcm, Hash::sha256},
    Suite{0x1302, tls13, "TLS_AES_256_GCM_SHA384", Aead::aes_256_gcm, Hash::sha384},
    Suite{0x1303, tls13, "TLS_CHACHA20_POLY1305_SHA256", Aead::chacha20_poly1305, Hash::sha256},
    Suite{0xC02B, tls12, "ECDHE-ECDSA-AES128-GCM-SHA256", Aead::aes_128_gcm, Hash::sha256},
    Suite{0xC02C, tls12, "ECDHE-ECDSA-AES256-GCM-SHA384", Aead::aes_256_gcm, Hash::sha384},
    Suite{0xCCA9, tls12, "ECDHE-ECDSA-CHACHA20-POLY1305", Aead::chacha20_poly1305, Hash::sha256},
    Suite{0xC02F, tls12, "ECDHE-RSA-AES128-GCM-SHA256", Aead::aes_128_gcm, Hash::sha256},
    Suite{0xC030, tls12, "ECDHE-RSA-AES256-GCM-SHA384", Aead::aes_256_gcm, Hash::sha384},
    Suite{0xCCA8, tls12, "ECDHE-RSA-CHACHA20-POLY1305", Aead::chacha20_poly1305, Hash::sha256},
};

using Bytes = std::span<const unsigned char>;

// Secrets on the stack are wiped however the function ends.
template <std::size_t size>
struct Wiped : std::array<unsigned char, size> {
  ~Wiped() { OPENSSL_cleanse(this->data(), size); }
};

const char* digest_name(Hash hash) { return hash == Hash::sha384 ? "SHA384" : "SHA256"; }

// OpenSSL only reads these parameters, although its types are not const.
OSSL_PARAM bytes_param(const char* key, Bytes value) {
  return OSSL_PARAM_construct_octet_string(key, const_cast<unsigned char*>(value.data()), value.size());
}
OSSL_PARAM text_param(const char* key, const char* value) {
  return OSSL_PARAM_construct_utf8_string(key, const_cast<char*>(value), 0);
}

// Functions are fetched once for the process and never freed: OpenSSL may end before our own variables do.
EVP_KDF* hkdf() {
  static EVP_KDF* const kdf = EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_HKDF, nullptr);
  return kdf;
}
EVP_KDF* tls1_prf() {
  static EVP_KDF* const kdf = EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_TLS1_PRF, nullptr);
  return kdf;
}

// The arguments are valid, so if OpenSSL fails it is out of memory.
void derive(EVP_KDF* kdf, const OSSL_PARAM* params, std::span<unsigned char> out) {
  const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context{EVP_KDF_CTX_new(kdf), &EVP_KDF_CTX_free};
  if (context && EVP_KDF_derive(context.get(), out.data(), out.size(), params) == 1) return;
  ERR_clear_error();                  // the exception reports it; OpenSSL's next user would take a leftover for its own
  throw std::bad_alloc{};
}

// HKDF-Expand-Label with an empty context (RFC 8446 §7.1).
void expand_label(const Suite& suite, Bytes secret, std::string_view label, std::span<unsigned char> out) {
  constexpr std::string_view prefix = "tls13 ";
  std::array<unsigned char, 32> info{};
  auto end = info.begin();
  *end++ = static_cast<unsigned char>(out.size() >> 8);
  *end++ = static_cast<unsigned char>(out.size());
  *end++ = static_cast<unsigned char>(prefix.size() + label.size());
  end = std::ranges::copy(prefix, end).out;
  end = std::ranges::copy(label, end).out;
  *end++ = 0;

  int expand_only = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  const std::array params{OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &expand_only),
                          text_param(OSSL_KDF_PARAM_DIGEST, digest_name(suite.hash)),
                          bytes_param(OSSL_KDF_PARAM_KEY, secret),
                          bytes_param(OSSL_KDF_PARAM_INFO, {info.begin(), end}), OSSL_PARAM_construct_end()};
  derive(hkdf(), params.data(), out);
}

}  // namespace

std::span<const Suite> suites() { return all_suites; }

const Suite* find_suite(std::uint16_t version, std::uint16_t id) {
  const auto found = std::ranges::find_if(
      all_suites, [&](const Suite& suite) { return suite.version == version && suite.id == id; });
  return found == all_suites.end() ? nullptr : &*found;
}

void derive_keys(const Suite& suite, state::TlsSecrets& secrets) {
  const Bytes traffic{secrets.traffic.data(), suite.hash_bytes()};
  expand_label(suite, traffic, "key", {secrets.key.data(), suite.key_bytes()});
  expand_label(suite, traffic, "iv", secrets.iv);
}

void update_keys(const Suite& suite, state::TlsSecrets& secrets) {
  state::TlsSecrets next;             // complete before it replaces anything, in case memory runs out
  expand_label(suite, {secrets.traffic.data(), suite.hash_bytes()}, "traffic upd",
               {next.traffic.data(), suite.hash_bytes()});
  derive_keys(suite, next);
  secrets = next;
}

void derive_keys_tls12(const Suite& suite, Bytes master_secret, Bytes client_random, Bytes server_random,
                       state::Tls& tls) {
  constexpr std::string_view label = "key expansion";
  const std::array params{
      text_param(OSSL_KDF_PARAM_DIGEST, digest_name(suite.hash)),
      bytes_param(OSSL_KDF_PARAM_SECRET, master_secret),
      bytes_param(OSSL_KDF_PARAM_SEED, {reinterpret_cast<const unsigned char*>(label.data()), label.size()}),
      bytes_param(OSSL_KDF_PARAM_SEED, server_random),
      bytes_param(OSSL_KDF_PARAM_SEED, client_random),
      OSSL_PARAM_construct_end()};
  const std::size_t key_bytes = suite.key_bytes();
  const std::size_t iv_bytes = suite.has_explicit_nonce() ? 4 : 12;
  Wiped<2 * (32 + 12)> block;
  derive(tls1_prf(), params.data(), std::span{block}.first(2 * (key_bytes + iv_bytes)));

  state::TlsSecrets& client = tls.is_client ? tls.write.secrets : tls.read.secrets;
  state::TlsSecrets& server = tls.is_client ? tls.read.secrets : tls.write.secrets;
  const unsigned char* next = block.data();
  const auto take = [&next](std::size_t bytes, auto& to) {
    std::copy_n(next, bytes, to.begin());
    next += bytes;
  };
  take(key_bytes, client.key);
  take(key_bytes, server.key);
  take(iv_bytes, client.iv);
  take(iv_bytes, server.iv);
}

}  // namespace baton::tls
