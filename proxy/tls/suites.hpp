// The cipher suites that Baton supports, and how their keys are derived (RFC 8446 §7, RFC 5246 §6.3, RFC 5288, RFC
// 7905).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "proxy/state/tls.hpp"

namespace baton::tls {

inline constexpr std::uint16_t tls12 = 0x0303;
inline constexpr std::uint16_t tls13 = 0x0304;

enum class Aead : std::uint8_t { aes_128_gcm, aes_256_gcm, chacha20_poly1305 };
enum class Hash : std::uint8_t { sha256, sha384 };

struct Suite {
  std::uint16_t id = 0;               // IANA
  std::uint16_t version = 0;          // of its protocol
  std::string_view name;              // OpenSSL's, as in configurations and logs
  Aead aead = Aead::aes_128_gcm;
  Hash hash = Hash::sha256;

  std::size_t key_bytes() const { return aead == Aead::aes_128_gcm ? 16 : 32; }
  std::size_t hash_bytes() const { return hash == Hash::sha384 ? 48 : 32; }
  // TLS 1.2 with AES-GCM carries 8 bytes of the nonce in each record (RFC 5288 §3).
  bool has_explicit_nonce() const { return version == tls12 && aead != Aead::chacha20_poly1305; }
};

// All suites, in order of preference.
std::span<const Suite> suites();
// nullptr: not one of ours.
const Suite* find_suite(std::uint16_t version, std::uint16_t id);

// Sets key and IV from `secrets.traffic` (RFC 8446 §7.3).
void derive_keys(const Suite& suite, state::TlsSecrets& secrets);
// The next traffic secret, with its key and IV (RFC 8446 §7.2).
void update_keys(const Suite& suite, state::TlsSecrets& secrets);
// TLS 1.2: splits the key block derived from the master secret (RFC 5246 §6.3) between both directions of `tls`.
void derive_keys_tls12(const Suite& suite, std::span<const unsigned char> master_secret,
                       std::span<const unsigned char> client_random, std::span<const unsigned char> server_random,
                       state::Tls& tls);

}  // namespace baton::tls
