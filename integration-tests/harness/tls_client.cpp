#include "harness/tls_client.hpp"

#include <openssl/err.h>

namespace baton::harness {

namespace {

std::string last_error() {
  char text[256];
  ERR_error_string_n(ERR_peek_last_error(), text, sizeof text);
  ERR_clear_error();
  return text;
}

void choose_suite(SSL* ssl, const TlsOptions& options) {
  if (options.version != 0) {
    SSL_set_min_proto_version(ssl, options.version);
    SSL_set_max_proto_version(ssl, options.version);
  }
  if (options.suite.empty()) return;
  const bool is_tls13 = options.suite.starts_with("TLS_");
  if ((is_tls13 ? SSL_set_ciphersuites(ssl, options.suite.c_str()) : SSL_set_cipher_list(ssl, options.suite.c_str())) !=
      1) {
    throw Failure("no suite is called " + options.suite);
  }
}

}  // namespace

TlsClient::TlsClient(const Address& to, const TlsOptions& options, Handshake when)
    : Client(to), context_(SSL_CTX_new(TLS_client_method())), ssl_(SSL_new(context_.get())) {
  SSL* const ssl = ssl_.get();
  in_ = BIO_new(BIO_s_mem());
  out_ = BIO_new(BIO_s_mem());
  BIO_set_mem_eof_return(in_, -1);
  SSL_set_bio(ssl, in_, out_);
  SSL_set_connect_state(ssl);
  SSL_set_app_data(ssl, this);
  SSL_set_info_callback(ssl, &TlsClient::on_info);
  SSL_CTX_set_keylog_callback(context_.get(), &TlsClient::on_secret);
  SSL_set_security_level(ssl, 0);  // refusing old protocols is the server's task
  choose_suite(ssl, options);
  if (std::string name = options.server_name; !name.empty()) {
    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
  }
  if (!options.alpn.empty()) {
    const std::string wire = static_cast<char>(options.alpn.size()) + options.alpn;
    SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(wire.data()), static_cast<unsigned>(wire.size()));
  }
  if (options.certificate) {
    SSL_use_certificate_file(ssl, options.certificate->cert.c_str(), SSL_FILETYPE_PEM);
    SSL_use_PrivateKey_file(ssl, options.certificate->key.c_str(), SSL_FILETYPE_PEM);
  }
  if (options.session != nullptr) SSL_set_session(ssl, options.session);
  if (when == Handshake::now) shake_hands();
}

// Pretends a clean shutdown; otherwise OpenSSL would not let other connections resume its session.
TlsClient::~TlsClient() {
  SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

// ── The handshake ─────────────────────────────────────────────────────────────────────────────────────────────────

void TlsClient::shake_hands() {
  send_raw(next_flight());
  while (SSL_is_init_finished(ssl_.get()) == 0) {
    take_flight();
    send_raw(next_flight());
  }
}

std::string TlsClient::next_flight() {
  const int result = SSL_do_handshake(ssl_.get());
  std::string flight = drain();
  if (result != 1 && SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) {
    Stream::send_what_goes(flight);  // the alert
    throw Failure("the handshake failed: " + last_error());
  }
  return flight;
}

void TlsClient::take_flight() {
  if (receive_ciphertext() != Got::bytes) {
    throw Failure("the connection ended in the handshake" + (alert_ ? ", by alert " + std::to_string(*alert_) : ""));
  }
}

void TlsClient::on_info(const SSL* ssl, int where, int value) {
  constexpr int fatal = 2;
  if (where != SSL_CB_READ_ALERT) return;
  auto& client = *static_cast<TlsClient*>(SSL_get_app_data(ssl));
  (value >> 8 == fatal ? client.alert_ : client.warning_) = value & 0xff;
}

// "LABEL client_random secret", in hexadecimal digits.
void TlsClient::on_secret(const SSL* ssl, const char* line) {
  const std::string text = line;
  if (!text.starts_with("CLIENT_TRAFFIC_SECRET_0 ")) return;
  std::string& secret = static_cast<TlsClient*>(SSL_get_app_data(ssl))->traffic_secret_;
  for (std::size_t at = text.rfind(' ') + 1; at < text.size(); at += 2) {
    secret += static_cast<char>(std::stoi(text.substr(at, 2), nullptr, 16));
  }
}

std::string TlsClient::secret() const {
  if (SSL_version(ssl_.get()) == TLS1_3_VERSION) return traffic_secret_;
  std::string master(SSL_MAX_MASTER_KEY_LENGTH, '\0');
  SSL_SESSION_get_master_key(SSL_get_session(ssl_.get()), reinterpret_cast<unsigned char*>(master.data()),
                             master.size());
  return master;
}

// ── Records ───────────────────────────────────────────────────────────────────────────────────────────────────────

std::string TlsClient::drain() {
  char* data = nullptr;
  const long size = BIO_get_mem_data(out_, &data);
  std::string bytes(data, static_cast<std::size_t>(size));
  (void)BIO_reset(out_);
  return bytes;
}

std::string TlsClient::seal(std::string_view plain) {
  if (!plain.empty() && SSL_write(ssl_.get(), plain.data(), static_cast<int>(plain.size())) <= 0) {
    throw Failure("nothing more can be sealed: " + last_error());
  }
  return drain();
}

void TlsClient::send_raw(std::string_view ciphertext) {
  if (Stream::send_what_goes(ciphertext) != ciphertext.size())
    throw ConnectionEnded("the connection ended while records were sent");
}

void TlsClient::update_keys(bool requested) {
  if (SSL_key_update(ssl_.get(), requested ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED) != 1 ||
      SSL_do_handshake(ssl_.get()) != 1) {
    throw Failure("no KeyUpdate: " + last_error());
  }
}

std::size_t TlsClient::send_what_goes(std::string_view bytes) {
  const std::string ciphertext = seal(bytes);
  return Stream::send_what_goes(ciphertext) == ciphertext.size() ? bytes.size() : 0;
}

void TlsClient::half_close() {
  SSL_shutdown(ssl_.get());
  send_raw(drain());
  Client::half_close();
}

TlsClient::Got TlsClient::receive_ciphertext() {
  std::string ciphertext;
  const Got got = Client::receive_now(ciphertext);
  BIO_write(in_, ciphertext.data(), static_cast<int>(ciphertext.size()));
  return got;
}

TlsClient::Got TlsClient::receive_now(std::string& into) {
  const Got got = receive_ciphertext();
  if (got != Got::bytes) return closed_in_order_ ? Got::fin : Got::reset;
  char piece[16 * 1024];
  int bytes = 0;
  while ((bytes = SSL_read(ssl_.get(), piece, sizeof piece)) > 0) into.append(piece, static_cast<std::size_t>(bytes));
  const int error = SSL_get_error(ssl_.get(), bytes);
  closed_in_order_ = error == SSL_ERROR_ZERO_RETURN;
  ERR_clear_error();
  if (error == SSL_ERROR_SSL && !alert_) throw Failure("a record from the server is wrong");
  return Got::bytes;  // the socket reports the end, after the data that precedes it
}

std::optional<int> TlsClient::await_alert() {
  std::string ignored;
  read_to_end(ignored);
  return alert_;
}

// ── What was negotiated ───────────────────────────────────────────────────────────────────────────────────────────

std::string TlsClient::alpn() const {
  const unsigned char* name = nullptr;
  unsigned bytes = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &bytes);
  return {reinterpret_cast<const char*>(name), bytes};
}

std::string TlsClient::server_common_name() const {
  char name[256] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(ssl_.get())), NID_commonName, name,
                            sizeof name);
  return name;
}

KeyType TlsClient::server_key() const {
  const EVP_PKEY* key = X509_get0_pubkey(SSL_get0_peer_certificate(ssl_.get()));
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? KeyType::rsa : KeyType::ecdsa;
}

}  // namespace baton::harness
