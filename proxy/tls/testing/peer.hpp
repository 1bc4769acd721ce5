// The other side of a TLS connection, for tests: an SSL over memory that OpenSSL keeps, as in any other program.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "proxy/tls/openssl.hpp"
#include "proxy/tls/testing/certificates.hpp"

namespace baton::tls::test {

// A context for one version, or for all, with none of our rules.
inline SslCtxPtr context_of(const SSL_METHOD* method, int version = 0) {
  SslCtxPtr context(SSL_CTX_new(method));
  if (version != 0) {
    SSL_CTX_set_min_proto_version(context.get(), version);
    SSL_CTX_set_max_proto_version(context.get(), version);
  }
  return context;
}

inline void identify(SSL_CTX* context, const Issued& as) {
  SSL_CTX_use_certificate(context, as.certificate.get());
  SSL_CTX_use_PrivateKey(context, as.key.get());
}

inline void trust(SSL_CTX* context, const Issued& issuer, int mode = SSL_VERIFY_PEER) {
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context), issuer.certificate.get());
  SSL_CTX_set_verify(context, mode, nullptr);
}

// OpenSSL's macros for these cast constness away.
inline void allow_groups(SSL_CTX* context, const char* groups) {
  SSL_CTX_ctrl(context, SSL_CTRL_SET_GROUPS_LIST, 0, const_cast<char*>(groups));
}
inline void allow_signatures(SSL_CTX* context, const char* algorithms) {
  SSL_CTX_ctrl(context, SSL_CTRL_SET_SIGALGS_LIST, 0, const_cast<char*>(algorithms));
}

class Peer {
 public:
  // The context's method decides the role.
  explicit Peer(SSL_CTX* context) : ssl_(SSL_new(context)), in_(BIO_new(BIO_s_mem())), out_(BIO_new(BIO_s_mem())) {
    BIO_set_mem_eof_return(in_, -1);
    SSL_set_bio(ssl_.get(), in_, out_);
    SSL_is_server(ssl_.get()) != 0 ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
  }
  ~Peer() {
    // Otherwise OpenSSL would take its session for a broken one.
    SSL_set_quiet_shutdown(ssl_.get(), 1);
    SSL_shutdown(ssl_.get());
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  SSL* ssl() const { return ssl_.get(); }

  // Continues the handshake. True: it is over.
  bool shake() {
    if (!failure_.empty()) return false;
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl());
    if (result != 1 && SSL_get_error(ssl(), result) != SSL_ERROR_WANT_READ) failure_ = last_error();
    return result == 1;
  }
  bool is_done() const { return SSL_is_init_finished(ssl()) == 1; }
  // Why the handshake, or reading, has failed.
  const std::string& failure() const { return failure_; }

  void put(std::string_view bytes) { BIO_write(in_, bytes.data(), static_cast<int>(bytes.size())); }
  std::string take() {
    char* data = nullptr;
    const long bytes = BIO_get_mem_data(out_, &data);
    std::string all(data, static_cast<std::size_t>(bytes));
    (void)BIO_reset(out_);
    return all;
  }

  void write(std::string_view text) {
    if (!text.empty()) SSL_write(ssl(), text.data(), static_cast<int>(text.size()));
  }
  // Everything that has come.
  std::string read() {
    std::string all;
    char piece[16 * 1024];
    ERR_clear_error();
    int bytes;
    while ((bytes = SSL_read(ssl(), piece, sizeof piece)) > 0) all.append(piece, static_cast<std::size_t>(bytes));
    const int error = SSL_get_error(ssl(), bytes);
    if (error == SSL_ERROR_SSL && failure_.empty()) failure_ = last_error();
    return all;
  }
  void update_keys(bool asks_for_the_same) {
    SSL_key_update(ssl(), asks_for_the_same ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
    SSL_do_handshake(ssl());
  }
  void end() { SSL_shutdown(ssl()); }
  bool saw_end() const { return (SSL_get_shutdown(ssl()) & SSL_RECEIVED_SHUTDOWN) != 0; }

 private:
  SslPtr ssl_;
  BIO* in_;                            // both belong to ssl_
  BIO* out_;
  std::string failure_;
};

}  // namespace baton::tls::test
