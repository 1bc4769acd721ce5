// A handshake: OpenSSL over two memory buffers, fed one record at a time, so that it never holds ciphertext that the
// leg's state has not seen. On completion the leg's TLS state has everything the record layer needs, and OpenSSL holds
// nothing.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/state/state.hpp"
#include "proxy/tls/failure_kind.hpp"
#include "proxy/tls/openssl.hpp"
#include "proxy/tls/record_layer.hpp"
#include "proxy/tls/suites.hpp"

namespace baton::tls {

// Receives a client's sessions, so that a later connection to the same server can resume them.
class SessionSink {
 public:
  virtual void keep(SessionPtr session) = 0;
 protected:
  ~SessionSink() = default;
};

class Handshake final : public EarlyRecords {
 public:
  // From an SSL_CTX that was passed to `listen_in`; the SSL_CTX's method decides the role.
  explicit Handshake(SslPtr ssl);
  ~Handshake();

  // Every SSL_CTX needs it: it is how we get traffic secrets and count records.
  static void listen_in(SSL_CTX* context);

  // As a client: a session to resume, and a sink for new ones (which outlives this; may be null).
  void resume(SSL_SESSION* session) { SSL_set_session(ssl_.get(), session); }
  void set_sessions(SessionSink* sessions) { sessions_ = sessions; }

  // For self-tests: forces OpenSSL to keep the leg, or the record layer to take it, whether or not the suite is proved.
  void keep() { keeps_ = true; }
  void prove() { keeps_ = false; }

  enum class Progress {
    waiting,             // for more of `received`
    done,                // `stage` is records, or kept (see self_test.hpp)
    failed,              // an alert for the other side may be in `sealed`
  };
  // Feeds whole records from `tls.received` to OpenSSL, and appends what is to be sent to `tls.sealed`.
  Progress advance(state::Tls& tls);
  // The reason for a failure, for the log.
  const std::string& failure() const { return failure_; }
  FailureKind failure_kind() const { return failure_kind_; }

  // For a server's leg: the whole ClientHello is in `received`, or the bytes there cannot be part of one. Until then
  // nothing is fed to OpenSSL, and the leg moves as bytes.
  static bool is_hello_whole(std::string_view received);

  // ── As a client, after it is done: tickets may come until the first application data ──────────────────────────────
  void take(std::string_view record) override;
  void over() override { free_ssl(); }
  bool is_over() const { return !ssl_; }

  // ── For a leg that OpenSSL keeps because the record layer cannot speak its suite ───────────────────────────────────
  // As in RecordLayer.
  Opened open(state::Leg& leg, std::size_t bytes);
  bool seal(state::Leg& leg);

 private:
  static void on_secret(const SSL* ssl, const char* line);
  static void on_message(int sent, int version, int type, const void* bytes, std::size_t size, SSL* ssl, void*);
  static int on_session(SSL* ssl, SSL_SESSION* session);

  std::size_t record_bytes(std::string_view received) const;
  void drain(state::Buffer& sealed);
  void note_secret(std::string_view label, std::string_view hex);
  Progress fail();
  void free_ssl();
  bool finish(state::Tls& tls);
  bool set_keys(const Suite& suite, state::Tls& tls) const;
  void note_facts(state::Tls& tls) const;

  struct Direction {
    state::TlsSecrets secrets;
    std::uint64_t sequence = 0;
  };
  SslPtr ssl_;
  BIO* in_;                          // ssl_ owns both
  BIO* out_;
  bool is_client_;
  std::optional<bool> keeps_;        // none: depends on whether the suite is proved
  Direction read_;
  Direction write_;
  std::array<unsigned char, 8> last_nonce_{};   // the first bytes of the last record we sent
  SessionSink* sessions_ = nullptr;
  std::string failure_;
  FailureKind failure_kind_ = FailureKind::protocol;
};

}  // namespace baton::tls
