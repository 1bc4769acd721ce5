// Seals what no TLS library would: any record under the keys of a healthy connection (TLS 1.3 with
// TLS_AES_128_GCM_SHA256, RFC 8446 §5.2 and §7.3). The client itself must not send anything afterwards.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace baton::harness {

class Forger {
 public:
  explicit Forger(const std::string& traffic_secret);

  // A record with this plaintext: content, then its type and zeros, or anything else.
  std::string seal_inner(std::string_view inner);
  std::string seal(std::string_view content, unsigned char type) {
    return seal_inner(std::string(content) + static_cast<char>(type));
  }

 private:
  std::string key_;
  std::string iv_;
  std::uint64_t sequence_ = 0;
};

}  // namespace baton::harness
