// The format of a record, and the inputs to its encryption (RFC 8446 §5, RFC 5246 §6.2, RFC 5288 §3, RFC 7905 §2).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "proxy/tls/record_cipher.hpp"

namespace baton::tls {

enum class ContentType : std::uint8_t { change_cipher_spec = 20, alert = 21, handshake = 22, application_data = 23 };

inline constexpr std::size_t header_bytes = 5;        // type, version, length
inline constexpr std::size_t explicit_nonce_bytes = 8;
inline constexpr std::size_t plaintext_bytes_max = 1 << 14;

// The largest length that a header may give.
inline std::size_t length_max(const Suite& suite) {
  return plaintext_bytes_max + (suite.version == tls13 ? 256 : 2048);
}
// How much longer a record is than its data.
inline std::size_t expansion_bytes(const Suite& suite) {
  const std::size_t inner_type = suite.version == tls13 ? 1 : 0;
  return header_bytes + inner_type + (suite.has_explicit_nonce() ? explicit_nonce_bytes : 0) + tag_bytes;
}

template <std::size_t size>
void write_number(std::uint64_t number, unsigned char* out) {
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<unsigned char>(number >> (8 * (size - 1 - i)));
}

inline void write_header(ContentType type, std::size_t length, unsigned char* out) {
  out[0] = static_cast<unsigned char>(type);
  write_number<2>(tls12, out + 1);    // TLS 1.3 uses this version too
  write_number<2>(length, out + 3);
}

inline Nonce make_nonce(const state::TlsDirection& direction) {
  Nonce nonce{};
  write_number<8>(direction.sequence, nonce.data() + 4);
  for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] ^= direction.secrets.iv[i];
  return nonce;
}
inline Nonce make_nonce(const state::TlsDirection& direction, const unsigned char* explicit_part) {
  Nonce nonce;
  std::copy_n(explicit_part, explicit_nonce_bytes, std::copy_n(direction.secrets.iv.begin(), 4, nonce.begin()));
  return nonce;
}

// The additional data of TLS 1.2. In TLS 1.3 it is the record's header.
inline std::array<unsigned char, 13> make_additional(std::uint64_t sequence, ContentType type, std::size_t data_bytes) {
  std::array<unsigned char, 13> additional;
  write_number<8>(sequence, additional.data());
  write_header(type, data_bytes, additional.data() + 8);
  return additional;
}

}  // namespace baton::tls
