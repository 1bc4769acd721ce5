// Who may pass a route with basic authentication (RFC 7617): the users of an htpasswd file.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/runtime/keyed_hash.hpp"

namespace baton::routing {

// "user:password", from the value of an Authorization field. Nothing: it is another scheme, or malformed. The user has
// no colon; neither part has a NUL, which would end it for libcrypt.
std::optional<std::string> basic_credentials(std::string_view value);
inline std::string_view user_of(std::string_view credentials) {
  return credentials.substr(0, credentials.find(':'));
}

// Threads share it. Immutable, but for what it remembers.
class Passwords {
 public:
  Passwords() = default;  // no user
  // The lines of a file, `USER:HASH`. The hash is bcrypt, SHA-256 or SHA-512 crypt, or yescrypt, and costs about a
  // second at most. An error begins with the line. Slow: tries libcrypt on each kind of hash once.
  static std::expected<Passwords, std::string> parse(std::string_view text);
  // For as long as nothing is shared yet.
  Passwords(Passwords&& other) noexcept : hashes_(std::move(other.hashes_)) {}

  // Slow: from milliseconds to a second of computing. An unknown user takes as long as the file's first one.
  bool verify(std::string_view credentials) const;

  // Credentials that were verified lately: some of them, by a keyed hash, until this object ends.
  bool remembers(std::string_view credentials) const;
  void remember(std::string_view credentials) const;

  std::size_t size() const { return hashes_.size(); }

 private:
  // Two halves of a hash. Torn between two writers they match neither's credentials.
  struct Slot {
    std::atomic<std::uint64_t> first{0};
    std::atomic<std::uint64_t> second{0};
  };
  static constexpr std::size_t slots = 512;
  struct Digest {
    std::uint64_t first;
    std::uint64_t second;
  };
  Digest digest_of(std::string_view credentials) const;

  std::map<std::string, std::string, std::less<>> hashes_;  // by user
  const runtime::HashKey first_key_ = runtime::HashKey::random();
  const runtime::HashKey second_key_ = runtime::HashKey::random();
  mutable std::array<Slot, slots> recent_;
};

}  // namespace baton::routing
