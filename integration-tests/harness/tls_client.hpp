// A TLS client that uses OpenSSL over memory, so its ciphertext can be held back, cut or altered at any byte.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "harness/certificates.hpp"
#include "harness/client.hpp"

namespace baton::harness {

struct TlsOptions {
  int version = 0;         // TLS1_2_VERSION and so on; 0: 1.2 or 1.3
  std::string suite = {};  // OpenSSL's name for it; empty: any
  std::string server_name = {};
  std::string alpn = {};  // one name
  std::optional<Certificate> certificate = {};
  SSL_SESSION* session = nullptr;  // to be resumed
};

inline void PrintTo(const TlsOptions& options, std::ostream* out) {
  *out << options.suite;
}

struct FreeTls {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using TlsSession = std::unique_ptr<SSL_SESSION, FreeTls>;

class TlsClient : public Client {
 public:
  enum class Handshake { now, later };
  explicit TlsClient(const Address& to, const TlsOptions& options = {}, Handshake when = Handshake::now);
  ~TlsClient() override;

  // Completes the handshake; throws with the alert, if one came.
  void shake_hands();
  // The bytes that the handshake would send now, without sending them.
  std::string next_flight();
  // Feeds what has arrived so far to the handshake.
  void take_flight();

  // Records with this content, not sent; and raw bytes, sent unchanged.
  std::string seal(std::string_view plain);
  void send_raw(std::string_view ciphertext);
  // Updates our keys; `requested`: also the other side's. Sent with the next bytes.
  void update_keys(bool requested);

  std::size_t send_what_goes(std::string_view bytes) override;
  // Sends close_notify and FIN; the other side may continue.
  void half_close() override;

  // The fatal alert that ended it; waits for the end of the connection.
  std::optional<int> await_alert();
  // A warning alert, once it has arrived.
  std::optional<int> warning() const { return warning_; }
  bool was_closed_in_order() const { return closed_in_order_; }

  SSL* ssl() const { return ssl_.get(); }
  std::string suite() const { return SSL_get_cipher_name(ssl_.get()); }
  bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  std::string alpn() const;
  // The secret that our record keys derive from: the traffic secret of TLS 1.3, the master secret of TLS 1.2.
  std::string secret() const;
  // The common name of the server's certificate, and the type of its key.
  std::string server_common_name() const;
  KeyType server_key() const;
  // A session for a later client. With TLS 1.3, available only after a read that follows the handshake.
  TlsSession session() const { return TlsSession(SSL_get1_session(ssl_.get())); }

 protected:
  // A FIN without a preceding close_notify is a truncation and counts as a reset.
  Got receive_now(std::string& into) override;

 private:
  static void on_info(const SSL* ssl, int where, int value);
  static void on_secret(const SSL* ssl, const char* line);

  std::string drain();
  Got receive_ciphertext();

  std::unique_ptr<SSL_CTX, FreeTls> context_;
  std::unique_ptr<SSL, FreeTls> ssl_;
  BIO* in_ = nullptr;  // both belong to ssl_
  BIO* out_ = nullptr;
  std::string traffic_secret_;
  std::optional<int> alert_;
  std::optional<int> warning_;
  bool closed_in_order_ = false;
};

}  // namespace baton::harness
