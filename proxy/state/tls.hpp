// The TLS half of a leg: what the record layer needs to continue, in this process or the next (RFC 8446 §5, RFC 5246
// §6). OpenSSL does the handshake; nothing else remains of it.
#pragma once

#include <array>
#include <cstdint>

#include "proxy/state/buffer.hpp"
#include "proxy/state/string.hpp"

namespace baton::state {

// The keys of one direction. They are cleansed from memory when replaced or destroyed.
struct TlsSecrets {
  std::array<unsigned char, 48> traffic{};   // TLS 1.3: application_traffic_secret_N, as long as the suite's hash
  std::array<unsigned char, 32> key{};       // as long as the suite's key
  std::array<unsigned char, 12> iv{};        // TLS 1.2 with AES-GCM: the first 4 bytes, the implicit part of the nonce

  TlsSecrets() = default;
  TlsSecrets(const TlsSecrets&) = default;
  TlsSecrets& operator=(const TlsSecrets&) = default;
  ~TlsSecrets();
  bool operator==(const TlsSecrets&) const = default;
};

struct TlsDirection {
  TlsSecrets secrets;
  std::uint64_t sequence = 0;         // of the next record
  bool operator==(const TlsDirection&) const = default;
};

// What logs and headers need once the handshake is complete.
struct TlsFacts {
  String server_name;                 // SNI; empty: none was sent
  String alpn;                        // empty: none was agreed
  String client_subject;              // of the verified client certificate, RFC 2253; empty: there is none
  bool resumed = false;
  String terms;                       // as a client: the settings it was made under; it is reused under no others
  bool operator==(const TlsFacts&) const = default;
};

enum class TlsStage : std::uint8_t {
  hello,                              // part of the ClientHello is in `received`, not yet given to OpenSSL
  handshake,                          // OpenSSL is doing it: such a leg cannot move
  records,                            // the record layer is in charge
  kept,                               // OpenSSL keeps it to the end, so the leg cannot move: see tls/self_test.hpp
};

// How far ending the sending side has come. It begins when the leg's `write_ended` is set, or an alert is owed.
enum class TlsEnd : std::uint8_t { open, notified, shut };

struct Tls {
  // Idle connections have one of these each, so the small members lie side by side.
  std::int64_t since_ms = 0;          // when the handshake began
  Buffer received;                    // ciphertext received but not yet opened
  Buffer sealed;                      // ciphertext waiting to be written

  TlsStage stage = TlsStage::hello;
  bool is_client = false;             // our role
  std::uint16_t version = 0;          // 0x0303 TLS 1.2, 0x0304 TLS 1.3
  std::uint16_t suite = 0;            // IANA number
  std::uint16_t fragment_bytes = 16384;   // the most plaintext in a record we send (max_fragment_length, RFC 6066 §4)
  TlsDirection read;
  TlsDirection write;
  std::uint64_t explicit_nonce = 0;   // TLS 1.2 with AES-GCM: of the next record we send

  bool key_update_owed = false;       // the other side asked for one (RFC 8446 §4.6.3)
  bool no_renegotiation_owed = false; // TLS 1.2: a warning alert (RFC 5246 §7.2.2)
  bool close_received = false;        // close_notify came: EOF is not a truncation
  std::uint8_t alert = 0;             // a fatal alert that is owed or was sent; nothing more is read. 0: none
  TlsEnd end = TlsEnd::open;
  std::uint8_t idle_records = 0;      // consecutive ones without application data: bounds floods
  std::uint8_t message_head_bytes = 0;
  std::array<unsigned char, 4> message_head{};   // of a handshake message whose head is split across records
  std::uint32_t message_left = 0;     // of a handshake message being skipped across records
  std::uint32_t burst_bytes = 0;      // sent since the leg was last silent: small records first, then full ones
  std::int64_t sealed_at_ms = 0;      // when a record was last sealed

  TlsFacts facts;
  bool operator==(const Tls&) const = default;
};

}  // namespace baton::state
