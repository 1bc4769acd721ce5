#include "proxy/tls/handshake.hpp"

#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "proxy/tls/self_test.hpp"

namespace baton::tls {

namespace {

constexpr std::size_t header_bytes = 5;
constexpr std::size_t plaintext_bytes_max = 16384;
constexpr std::size_t record_bytes_max = plaintext_bytes_max + 2048;        // RFC 5246 §6.2.3; TLS 1.3 allows less
constexpr std::size_t hello_bytes_max = 32 * 1024;            // what we gather of a ClientHello before OpenSSL sees it
constexpr unsigned char type_change_cipher_spec = 20;
constexpr unsigned char type_handshake = 22;
constexpr unsigned char message_client_hello = 1;

unsigned char byte(std::string_view bytes, std::size_t at) { return static_cast<unsigned char>(bytes[at]); }

std::size_t length_of(std::string_view header) {
  return static_cast<std::size_t>(byte(header, 3)) << 8 | byte(header, 4);
}

int handshake_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

Handshake& of(const SSL* ssl) { return *static_cast<Handshake*>(SSL_get_ex_data(ssl, handshake_index())); }

int digit(char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; }

std::string subject_of(X509* certificate) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  if (!out) throw std::bad_alloc();        // none would mean that the client has no certificate
  const X509_NAME* const subject = X509_get_subject_name(certificate);
  if (X509_NAME_print_ex(out.get(), subject, 0, XN_FLAG_RFC2253) < 0) throw std::bad_alloc();
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(std::max(bytes, 0L))};
}

}  // namespace

Handshake::Handshake(SslPtr ssl) : ssl_(std::move(ssl)) {
  in_ = BIO_new(BIO_s_mem());
  out_ = BIO_new(BIO_s_mem());
  if (!ssl_ || in_ == nullptr || out_ == nullptr) {
    BIO_free(in_);
    BIO_free(out_);
    throw std::bad_alloc();
  }
  BIO_set_mem_eof_return(in_, -1);
  SSL_set_bio(ssl_.get(), in_, out_);
  if (SSL_set_ex_data(ssl_.get(), handshake_index(), this) != 1) throw std::bad_alloc();
  is_client_ = SSL_is_server(ssl_.get()) == 0;
  if (is_client_) {
    SSL_set_connect_state(ssl_.get());
  } else {
    SSL_set_accept_state(ssl_.get());
  }
}

Handshake::~Handshake() { free_ssl(); }

void Handshake::free_ssl() {
  if (!ssl_) return;
  // Pretends a clean shutdown; otherwise OpenSSL would not let the session be resumed.
  SSL_set_quiet_shutdown(ssl_.get(), 1);
  SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  ssl_.reset();
}

void Handshake::listen_in(SSL_CTX* context) {
  SSL_CTX_set_keylog_callback(context, &Handshake::on_secret);
  SSL_CTX_set_msg_callback(context, &Handshake::on_message);
  SSL_CTX_sess_set_new_cb(context, &Handshake::on_session);
}

// ── OpenSSL's callbacks ───────────────────────────────────────────────────────────────────────────────────────────

// "LABEL client_random secret", when the keys of a direction are installed.
void Handshake::on_secret(const SSL* ssl, const char* line) {
  const std::string_view text = line;
  const auto label_end = text.find(' ');
  const auto random_end = text.find(' ', label_end + 1);
  if (label_end == std::string_view::npos || random_end == std::string_view::npos) return;
  of(ssl).note_secret(text.substr(0, label_end), text.substr(random_end + 1));
}

void Handshake::note_secret(std::string_view label, std::string_view hex) {
  const bool is_clients = label == "CLIENT_TRAFFIC_SECRET_0";
  if (!is_clients && label != "SERVER_TRAFFIC_SECRET_0") return;
  Direction& direction = is_clients == is_client_ ? write_ : read_;
  direction.sequence = 0;
  const std::size_t bytes = std::min(hex.size() / 2, direction.secrets.traffic.size());
  for (std::size_t i = 0; i < bytes; ++i) {
    direction.secrets.traffic[i] = static_cast<unsigned char>(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
  }
}

void Handshake::on_message(int sent, int, int type, const void* bytes, std::size_t size, SSL* ssl, void*) {
  if (type != SSL3_RT_HEADER || size < header_bytes) return;
  Handshake& self = of(ssl);
  Direction& direction = sent != 0 ? self.write_ : self.read_;
  ++direction.sequence;
  // TLS 1.2: the next record is the first under the new keys. (Meaningless in TLS 1.3: the secret comes later.)
  if (*static_cast<const unsigned char*>(bytes) == type_change_cipher_spec) direction.sequence = 0;
}

int Handshake::on_session(SSL* ssl, SSL_SESSION* session) {
  SessionSink* const sessions = of(ssl).sessions_;
  if (sessions == nullptr) return 0;
  try {
    sessions->keep(SessionPtr(session));
  } catch (const std::bad_alloc&) {
    // The session is not kept, and has been freed. No exception may cross OpenSSL.
  }
  return 1;                                   // it is ours now
}

// ── Feeding it ────────────────────────────────────────────────────────────────────────────────────────────────────

// How many bytes of `received` to feed next: a whole record; 0: it is still incomplete. Bytes that are not a record are
// fed unchanged, and OpenSSL finds the right alert.
std::size_t Handshake::record_bytes(std::string_view received) const {
  if (received.empty()) return 0;
  const unsigned char type = byte(received, 0);
  if (type < 20 || type > 23 || (received.size() > 1 && byte(received, 1) != 3)) return received.size();
  if (received.size() < header_bytes) return 0;
  const std::size_t length = length_of(received);
  if (length > record_bytes_max) return received.size();
  return received.size() < header_bytes + length ? 0 : header_bytes + length;
}

bool Handshake::is_hello_whole(std::string_view received) {
  std::size_t needed = 4;                     // the message's head, and then its body
  std::size_t have = 0;
  unsigned char head[4] = {};
  for (std::string_view rest = received;;) {
    if (!rest.empty() && byte(rest, 0) != type_handshake) return true;
    if (rest.size() > 1 && byte(rest, 1) != 3) return true;
    if (rest.size() < header_bytes) return false;
    const std::size_t length = length_of(rest);
    if (length == 0 || length > record_bytes_max) return true;
    rest.remove_prefix(header_bytes);
    const std::string_view fragment = rest.substr(0, length);
    for (std::size_t i = 0; have + i < 4 && i < fragment.size(); ++i) head[have + i] = byte(fragment, i);
    have += fragment.size();
    if (have >= 1 && head[0] != message_client_hello) return true;
    if (have >= 4) needed = 4 + (static_cast<std::size_t>(head[1]) << 16 | static_cast<std::size_t>(head[2]) << 8 | head[3]);
    if (have >= needed || needed > hello_bytes_max || received.size() > hello_bytes_max) return true;
    if (fragment.size() < length) return false;
    rest.remove_prefix(length);
  }
}

Handshake::Progress Handshake::advance(state::Tls& tls) {
  ERR_clear_error();
  for (bool fed = true; fed;) {
    const std::size_t bytes = record_bytes(tls.received.view());
    fed = bytes != 0;
    if (fed) {
      if (BIO_write(in_, tls.received.data(), static_cast<int>(bytes)) != static_cast<int>(bytes)) throw std::bad_alloc();
      tls.received.consume(bytes);
    } else if (!is_client_ || tls.stage != state::TlsStage::hello) {
      return Progress::waiting;
    }
    tls.stage = state::TlsStage::handshake;
    const int result = SSL_do_handshake(ssl_.get());
    drain(tls.sealed);
    if (result == 1) return finish(tls) ? Progress::done : Progress::failed;
    if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) return fail();
  }
  return Progress::waiting;
}

void Handshake::drain(state::Buffer& sealed) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(out_, &data);
  if (size <= 0) return;
  std::string_view records(data, static_cast<std::size_t>(size));
  sealed.append(records);
  while (records.size() >= header_bytes) {
    const std::string_view record = records.substr(0, header_bytes + length_of(records));
    if (record.size() >= header_bytes + last_nonce_.size()) {
      std::memcpy(last_nonce_.data(), record.data() + header_bytes, last_nonce_.size());
    }
    records.remove_prefix(record.size());
  }
  (void)BIO_reset(out_);
}

namespace {

// `code`: of OpenSSL's error queue. Reasons above the offset are alerts that have come.
FailureKind kind_of(unsigned long code) {
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return FailureKind::protocol;
  const int reason = ERR_GET_REASON(code);
  if (reason >= SSL_AD_REASON_OFFSET) return FailureKind::alert;
  switch (reason) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
      return FailureKind::refused;
    default:
      return FailureKind::protocol;
  }
}

}  // namespace

Handshake::Progress Handshake::fail() {
  const bool verifies = (SSL_get_verify_mode(ssl_.get()) & SSL_VERIFY_PEER) != 0;
  const long verdict = verifies ? SSL_get_verify_result(ssl_.get()) : X509_V_OK;
  failure_kind_ = kind_of(ERR_peek_error());
  failure_ = last_error();
  if (verdict == X509_V_ERR_APPLICATION_VERIFICATION) {
    failure_ += ": the subject of the certificate is longer than 8 KiB";
    return Progress::failed;
  }
  if (verdict != X509_V_OK) failure_ += std::string(": ") + X509_verify_cert_error_string(verdict);
  return Progress::failed;
}

// ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

bool Handshake::finish(state::Tls& tls) {
  tls.is_client = is_client_;
  tls.version = static_cast<std::uint16_t>(SSL_version(ssl_.get()));
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_.get());
  tls.suite = cipher != nullptr ? SSL_CIPHER_get_protocol_id(cipher) : 0;
  // RFC 6066 §4 has four codes; OpenSSL's other values mean that nothing was agreed.
  const std::uint8_t code = SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl_.get()));
  if (code >= TLSEXT_max_fragment_length_512 && code <= TLSEXT_max_fragment_length_4096) {
    tls.fragment_bytes = static_cast<std::uint16_t>(256u << code);
  }
  note_facts(tls);
  const Suite* suite = find_suite(tls.version, tls.suite);
  if (suite == nullptr || keeps_.value_or(!is_proved(*suite))) {
    tls.stage = state::TlsStage::kept;
    return true;
  }
  if (!set_keys(*suite, tls)) {
    failure_ = "the keys of the connection cannot be taken over";
    return false;
  }
  tls.stage = state::TlsStage::records;
  if (!is_client_) free_ssl();
  return true;
}

bool Handshake::set_keys(const Suite& suite, state::Tls& tls) const {
  tls.read.sequence = read_.sequence;
  tls.write.sequence = write_.sequence;
  if (tls.version == tls13) {
    tls.read.secrets = read_.secrets;
    tls.write.secrets = write_.secrets;
    derive_keys(suite, tls.read.secrets);
    derive_keys(suite, tls.write.secrets);
    return true;
  }
  std::array<unsigned char, SSL_MAX_MASTER_KEY_LENGTH> master{};
  std::array<unsigned char, SSL3_RANDOM_SIZE> client_random{};
  std::array<unsigned char, SSL3_RANDOM_SIZE> server_random{};
  const std::size_t master_bytes =
      SSL_SESSION_get_master_key(SSL_get_session(ssl_.get()), master.data(), master.size());
  SSL_get_client_random(ssl_.get(), client_random.data(), client_random.size());
  SSL_get_server_random(ssl_.get(), server_random.data(), server_random.size());
  derive_keys_tls12(suite, {master.data(), master_bytes}, client_random, server_random, tls);
  OPENSSL_cleanse(master.data(), master.size());
  // OpenSSL's explicit nonce began at a random value: ours continues after its last record, the Finished.
  tls.explicit_nonce = 0;
  for (const unsigned char one : last_nonce_) tls.explicit_nonce = tls.explicit_nonce << 8 | one;
  ++tls.explicit_nonce;
  return master_bytes != 0;
}

void Handshake::note_facts(state::Tls& tls) const {
  if (const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name)) tls.facts.server_name = name;
  const unsigned char* protocol = nullptr;
  unsigned int bytes = 0;
  SSL_get0_alpn_selected(ssl_.get(), &protocol, &bytes);
  if (bytes != 0) tls.facts.alpn = std::string_view(reinterpret_cast<const char*>(protocol), bytes);
  if (!is_client_) {
    X509* const certificate = SSL_get0_peer_certificate(ssl_.get());
    if (certificate != nullptr && SSL_get_verify_result(ssl_.get()) == X509_V_OK) {
      tls.facts.client_subject = subject_of(certificate);
    }
  }
  tls.facts.resumed = SSL_session_reused(ssl_.get()) == 1;
}

// ── After the handshake ───────────────────────────────────────────────────────────────────────────────────────────

void Handshake::take(std::string_view record) {
  if (!ssl_) return;
  ERR_clear_error();
  BIO_write(in_, record.data(), static_cast<int>(record.size()));
  char nothing;
  (void)SSL_peek(ssl_.get(), &nothing, sizeof nothing);      // processes records that precede any data
  (void)BIO_reset(out_);                                     // the record layer answers in OpenSSL's place
  ERR_clear_error();
}

Opened Handshake::open(state::Leg& leg, std::size_t bytes) {
  state::Tls& tls = *leg.tls;
  ERR_clear_error();
  const std::size_t before = leg.unread.size();
  bool fed = false;
  for (;;) {
    // Room for a whole record: no event would announce the rest of one that OpenSSL kept.
    char* const at = leg.unread.prepare(plaintext_bytes_max);
    const int got = SSL_read(ssl_.get(), at, static_cast<int>(leg.unread.room()));
    leg.unread.commit(static_cast<std::size_t>(std::max(got, 0)));
    drain(tls.sealed);
    if (leg.unread.size() - before >= bytes) return Opened::some;
    if (got > 0) continue;
    if (SSL_get_error(ssl_.get(), got) == SSL_ERROR_ZERO_RETURN) {
      leg.read_ended = tls.close_received = true;
      return Opened::some;
    }
    if (SSL_get_error(ssl_.get(), got) != SSL_ERROR_WANT_READ) {
      failure_ = last_error();
      tls.end = state::TlsEnd::notified;
      return Opened::failed;
    }
    const std::size_t record = record_bytes(tls.received.view());
    if (record == 0) return fed ? Opened::some : Opened::nothing;
    const int fed_bytes = BIO_write(in_, tls.received.data(), static_cast<int>(record));
    if (fed_bytes != static_cast<int>(record)) throw std::bad_alloc();
    tls.received.consume(record);
    fed = true;
  }
}

bool Handshake::seal(state::Leg& leg) {
  state::Tls& tls = *leg.tls;
  if (tls.end != state::TlsEnd::open) return false;
  ERR_clear_error();
  const std::size_t before = tls.sealed.size();
  if (!leg.unsent.empty() && before < state::Buffer::block_bytes / 2) {
    const std::size_t bytes = std::min(leg.unsent.size(), plaintext_bytes_max);
    const int put = SSL_write(ssl_.get(), leg.unsent.data(), static_cast<int>(bytes));
    leg.unsent.consume(static_cast<std::size_t>(std::max(put, 0)));
  }
  if (leg.write_ended && leg.unsent.empty()) {
    SSL_shutdown(ssl_.get());
    tls.end = state::TlsEnd::notified;
  }
  drain(tls.sealed);
  return tls.sealed.size() != before;
}

}  // namespace baton::tls
