#include "proxy/tls/self_test.hpp"

#include <openssl/ec.h>

#include <array>
#include <atomic>
#include <stdexcept>

#include "proxy/tls/handshake.hpp"
#include "proxy/tls/openssl.hpp"
#include "proxy/tls/record_layer.hpp"
#include "proxy/tls/server_context.hpp"

namespace baton::tls {

namespace {

// A certificate's key type changes nothing after the handshake, so suites that differ only in it count as one.
std::atomic<bool>& proof(const Suite& suite) {
  static std::array<std::array<std::atomic<bool>, 3>, 2> proofs{};
  return proofs[suite.version == tls13 ? 1 : 0][static_cast<std::size_t>(suite.aead)];
}

void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

struct Certificate {
  KeyPtr key{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
  X509Ptr certificate{X509_new()};

  Certificate() {
    require(key && certificate, "no key can be made");
    X509* const x509 = certificate.get();
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, key.get());
    require(X509_sign(x509, key.get(), EVP_sha256()) != 0, "no certificate can be made");
  }
};

// One end: its leg and its handshake, and after it the record layer or OpenSSL.
struct End {
  Handshake handshake;
  state::Leg leg;
  std::unique_ptr<RecordLayer> records;

  explicit End(SSL_CTX* context) : handshake(SslPtr(SSL_new(context))) { leg.tls.emplace(); }

  bool shake() {
    const bool done = handshake.advance(*leg.tls) == Handshake::Progress::done;
    if (done) records = RecordLayer::make(*leg.tls);
    return done;
  }
  void say(std::string_view words) {
    leg.unsent.append(words);
    if (records) {
      records->seal(leg, 0);
    } else {
      handshake.seal(leg);
    }
  }
  void hear(std::string_view words) {
    leg.unread.clear();
    while ((records ? records->open(leg, words.size()) : handshake.open(leg, words.size())) == Opened::some) {
    }
    require(leg.unread.view() == words, "bytes did not arrive as they were sent");
  }
};

void deliver(End& from, End& to) { from.leg.tls->sealed.move_to(to.leg.tls->received, from.leg.tls->sealed.size()); }

// We take over one role; OpenSSL keeps the other.
void try_out(SSL_CTX* server_context, SSL_CTX* client_context, bool ours_is_server, const Suite& suite) {
  End server(server_context);
  End client(client_context);
  (ours_is_server ? server : client).handshake.prove();
  (ours_is_server ? client : server).handshake.keep();
  bool client_done = false;
  bool server_done = false;
  for (int flight = 0; flight < 8 && !(client_done && server_done); ++flight) {
    if (!client_done) client_done = client.shake();
    deliver(client, server);
    if (!server_done) server_done = server.shake();
    deliver(server, client);
  }
  require(client_done && server_done, "the handshake did not end");
  require((ours_is_server ? server : client).records != nullptr, "the record layer did not take over");
  require(server.leg.tls->suite == suite.id, "another suite was chosen");
  for (const char* words : {"one", "two, longer than one", "3"}) {
    client.say(words);
    deliver(client, server);
    server.hear(words);
    server.say(words);
    deliver(server, client);
    client.hear(words);
  }
}

void try_out(const Suite& suite, const Certificate& identity) {
  const auto make = [&](const SSL_METHOD* method) {
    SslCtxPtr context = make_context(method, config::TlsMinimum::tls12);
    SSL_CTX_set_max_proto_version(context.get(), suite.version);
    const std::string name(suite.name);
    const int set = suite.version == tls13 ? SSL_CTX_set_ciphersuites(context.get(), name.c_str())
                                           : SSL_CTX_set_cipher_list(context.get(), name.c_str());
    require(set == 1, "OpenSSL does not have it");
    return context;
  };
  const SslCtxPtr server = make(TLS_server_method());
  const SslCtxPtr client = make(TLS_client_method());
  require(SSL_CTX_use_certificate(server.get(), identity.certificate.get()) == 1 &&
              SSL_CTX_use_PrivateKey(server.get(), identity.key.get()) == 1,
          "the certificate cannot be used");
  for (const bool ours_is_server : {true, false}) try_out(server.get(), client.get(), ours_is_server, suite);
}

}  // namespace

bool is_proved(const Suite& suite) { return proof(suite).load(std::memory_order_relaxed); }

void distrust(const Suite& suite) { proof(suite) = false; }

std::vector<SuiteFailure> run_self_test() {
  std::vector<SuiteFailure> failures;
  const Certificate identity;
  for (const Suite& suite : suites()) {
    if (is_proved(suite) || suite.name.find("RSA") != std::string_view::npos) continue;
    try {
      try_out(suite, identity);
      proof(suite) = true;
    } catch (const std::exception& error) {
      failures.push_back({std::string(suite.name), error.what()});
    }
  }
  return failures;
}

}  // namespace baton::tls
