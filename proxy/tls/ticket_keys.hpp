// The keys that seal session tickets (RFC 5077 §4, RFC 8446 §4.6.1): shared by all listeners and workers, changed every
// hour, and passed on in an upgrade, because otherwise clients could not resume after it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "handoff/guarded.hpp"
#include "handoff/secret_bytes.hpp"

namespace baton::tls {

// How long a session can be resumed. The previous key is kept, so a ticket lives at least that long.
inline constexpr std::int64_t session_lifetime_s = 3600;

struct TicketKey {
  std::array<unsigned char, 16> name{};
  std::array<unsigned char, 32> cipher{};     // AES-256-CBC
  std::array<unsigned char, 32> mac{};        // HMAC-SHA256
  TicketKey() = default;
  TicketKey(const TicketKey&) = default;
  TicketKey& operator=(const TicketKey&) = default;
  ~TicketKey();
};

class TicketKeys {
 public:
  TicketKeys();                               // one new key

  // Makes a new key the current one if the current is older than the lifetime. CLOCK_MONOTONIC.
  void rotate_if_due(std::int64_t now_ms);

  TicketKey current() const;
  // The key with that name and whether it is the current one; nothing: too old, or not ours.
  std::optional<std::pair<TicketKey, bool>> find(const unsigned char* name) const;

  // All keys, the current first, and its age, for a successor.
  handoff::SecretBytes save(std::int64_t now_ms) const;
  // False: the bytes are not valid keys.
  bool restore(std::string_view saved, std::int64_t now_ms);

 private:
  struct Keys {
    std::vector<TicketKey> all;  // the current first
    std::int64_t rotated_at_ms = 0;
  };
  mutable handoff::Guarded<Keys> keys_;  // locked only in handshakes
};

}  // namespace baton::tls
