// The other side of a leg, for tests and fuzz targets: seals any content as any type, and opens what was sealed.
// Written independently of the record layer, so that the two do not share mistakes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/state/state.hpp"
#include "proxy/tls/suites.hpp"

namespace baton::tls::probe {

inline constexpr std::uint8_t change_cipher_spec = 20;
inline constexpr std::uint8_t alert = 21;
inline constexpr std::uint8_t handshake = 22;
inline constexpr std::uint8_t application_data = 23;

// A leg after its handshake, with keys derived from `seed`.
state::Leg established_leg(const Suite& suite, bool is_client, unsigned seed = 1);

struct Record {
  std::uint8_t type = 0;
  std::string content;
  std::size_t bytes = 0;              // as sealed
  bool operator==(const Record&) const = default;
};

class OtherSide {
 public:
  explicit OtherSide(const state::Tls& tls);

  // TLS 1.3: with this much padding.
  std::string seal(std::uint8_t type, std::string_view content, std::size_t padding = 0);
  std::string data(std::string_view content) { return seal(application_data, content); }
  // TLS 1.3: the content inside the encryption, including its type.
  std::string seal_inner(std::string_view inner);

  // Takes the first record from `stream`. None: it is incomplete, or its tag is wrong.
  std::optional<Record> open(std::string_view& stream);

  void update_sending_keys() { update(sending_); }
  void update_receiving_keys() { update(receiving_); }
  state::TlsDirection& sending() { return sending_; }
  state::TlsDirection& receiving() { return receiving_; }

 private:
  void update(state::TlsDirection& direction);

  const Suite& suite_;
  state::TlsDirection sending_;
  state::TlsDirection receiving_;
  std::uint64_t explicit_nonce_ = 0x7788;
};

// Handshake messages of TLS: type, length in three bytes, body.
std::string message(std::uint8_t type, std::string_view body);
std::string key_update(bool requested);
std::string ticket(std::size_t body_bytes);

// Seals records in order: braces fix the order of evaluation, operands of `+` do not.
std::string in_order(std::initializer_list<std::string> records);

}  // namespace baton::tls::probe
