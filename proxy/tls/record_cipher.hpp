// The AEAD of one direction: its key is set once; each record then takes a nonce, additional data, data and a tag.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "proxy/tls/suites.hpp"

namespace baton::tls {

inline constexpr std::size_t tag_bytes = 16;
using Nonce = std::array<unsigned char, 12>;

// nullptr: this OpenSSL has no such cipher. Fetched once for the process.
const EVP_CIPHER* find_cipher(Aead aead);

// Throws std::bad_alloc if OpenSSL fails: the arguments are valid, so it must be out of memory.
class RecordCipher {
 public:
  enum class Use : int { opens = 0, seals = 1 };

  RecordCipher(const Suite& suite, Use use, const state::TlsSecrets& secrets);
  void set_key(const state::TlsSecrets& secrets);

  // Writes as many bytes to `out` as `text` has. False: the tag does not match; the output must not be used.
  bool open(const Nonce& nonce, std::span<const unsigned char> additional, std::span<const unsigned char> text,
            const unsigned char* tag, unsigned char* out);
  // Writes `data`, then `trailer`, then the tag to `out`.
  void seal(const Nonce& nonce, std::span<const unsigned char> additional, std::span<const unsigned char> data,
            std::span<const unsigned char> trailer, unsigned char* out);

 private:
  struct Free {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  };
  std::unique_ptr<EVP_CIPHER_CTX, Free> context_;
};

}  // namespace baton::tls
