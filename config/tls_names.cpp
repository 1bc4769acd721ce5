#include "config/tls_names.hpp"

namespace baton::config {
namespace {

constexpr TlsName ciphers[] = {
    {"ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
    {"ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
    {"ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
    {"ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
    {"ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
    {"ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
};

// OpenSSL has only IANA's names.
constexpr TlsName ciphersuites[] = {
    {"TLS_AES_128_GCM_SHA256", {}},
    {"TLS_AES_256_GCM_SHA384", {}},
    {"TLS_CHACHA20_POLY1305_SHA256", {}},
};

constexpr TlsName curves[] = {
    {"X25519", "x25519"},   {"P-256", "prime256v1"}, {"P-256", "secp256r1"},
    {"P-384", "secp384r1"}, {"P-521", "secp521r1"},  {"X448", "x448"},
};

}  // namespace

std::span<const TlsName> tls12_ciphers() {
  return ciphers;
}

std::span<const TlsName> tls13_ciphersuites() {
  return ciphersuites;
}

std::span<const TlsName> tls_curves() {
  return curves;
}

}  // namespace baton::config
