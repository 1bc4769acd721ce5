// TLS 1.3 with AES-128-GCM as a client. Nothing is verified: every proxy presents the bench's certificate.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>

template <auto free>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using SslCtxPtr = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, Free<SSL_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, Free<SSL_SESSION_free>>;

// On a non-blocking socket that it does not own. Its functions return what send(2) and recv(2) return.
class Tls {
 public:
  explicit Tls(SslPtr ssl) : ssl_(std::move(ssl)) {}
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;
  ~Tls();

  // Sends all or nothing. Does the handshake first: until that is complete nothing is sent, and the caller tries again
  // with the same bytes when the socket is readable.
  ssize_t send(std::string_view bytes);
  ssize_t receive(char* into, std::size_t bytes);
  // Bytes were taken from the socket that have not been received yet: no event will report them.
  bool has_more() const { return SSL_has_pending(ssl_.get()) == 1; }
  bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

 private:
  ssize_t answer(int result);

  SslPtr ssl_;
};

// Makes connections and keeps the newest session of each proxy. Must outlive them.
class TlsClients {
 public:
  TlsClients();

  // Resumes the newest session from that port, if asked to and if there is one. `http2`: offers h2 by ALPN.
  std::unique_ptr<Tls> make(int fd, std::uint16_t port, bool resumes, bool http2);

 private:
  static int on_session(SSL* ssl, SSL_SESSION* session);

  SslCtxPtr context_;
  std::map<std::uint16_t, SessionPtr> sessions_;
};
