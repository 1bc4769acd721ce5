#include "tls.hpp"

#include <fcntl.h>
#include <openssl/err.h>

#include <cerrno>

#include "loop.hpp"

namespace {

// Reads large responses with fewer calls.
constexpr std::size_t read_bytes = 64 * 1024;

}  // namespace

Tls::~Tls() {
  // As if it had ended cleanly; otherwise its session could not be resumed.
  SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

ssize_t Tls::send(std::string_view bytes) {
  ERR_clear_error();
  return answer(SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())));
}

ssize_t Tls::receive(char* into, std::size_t bytes) {
  ERR_clear_error();
  return answer(SSL_read(ssl_.get(), into, static_cast<int>(bytes)));
}

ssize_t Tls::answer(int result) {
  if (result > 0) return result;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    case SSL_ERROR_WANT_READ:
      errno = EAGAIN;
      return -1;
    default:
      errno = EPROTO;
      return -1;
  }
}

TlsClients::TlsClients() : context_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX* const context = context_.get();
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1) {
    give_up("OpenSSL lacks TLS 1.3 with AES-128-GCM");
  }
  SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);  // for thousands of idle connections
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, read_bytes);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &TlsClients::on_session);
}

std::unique_ptr<Tls> TlsClients::make(int fd, std::uint16_t port, bool resumes, bool http2) {
  SslPtr ssl(SSL_new(context_.get()));
  SessionPtr& session = sessions_[port];
  if (!ssl || ::fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || SSL_set_fd(ssl.get(), fd) != 1) give_up("a client of TLS");
  SSL_set_connect_state(ssl.get());
  SSL_set_app_data(ssl.get(), &session);
  if (http2) SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>("\2h2"), 3);
  if (resumes && session) {
    // OpenSSL marks a TLS 1.3 session as used, but another handshake may need it before the next one arrives.
    const SessionPtr copy(SSL_SESSION_dup(session.get()));
    SSL_set_session(ssl.get(), copy.get());
  }
  return std::make_unique<Tls>(std::move(ssl));
}

int TlsClients::on_session(SSL* ssl, SSL_SESSION* session) {
  static_cast<SessionPtr*>(SSL_get_app_data(ssl))->reset(session);
  return 1;  // it is ours now
}
