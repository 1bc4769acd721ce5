// What a TLS listener needs for handshakes: its certificates, chosen by server name, and its rules. Immutable, and
// shared by the workers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/config.hpp"
#include "proxy/tls/openssl.hpp"
#include "proxy/tls/ticket_keys.hpp"

namespace baton::tls {

// A certificate with its key and chain.
struct Identity {
  X509Ptr certificate;
  KeyPtr key;
  std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> chain;
  std::vector<std::string> names;             // lower case; from the subject's alternative names, else its common name
};

// Throws std::runtime_error naming the file and the position in the configuration that names it.
Identity load_identity(const config::Certificate& certificate);

class ServerContext {
 public:
  // Throws as above. `tickets` outlives this.
  ServerContext(const config::ListenerTls& tls, const std::string& listener, const TicketKeys& tickets);

  SSL_CTX* get() const { return context_.get(); }

  // Whether the certificate for clients that name `server_name` is one for `host`, a name or an IP address.
  bool covers(std::string_view server_name, std::string_view host) const;

 private:
  // The identities for the name: an exact match, else a wildcard, else the default. One for each key type.
  const std::vector<const Identity*>& choose(std::string_view server_name) const;
  void load_client_ca(const config::ListenerTls& tls);
  void set_session_context(const config::ListenerTls& tls, const std::string& listener);

  int show_certificates(SSL* ssl) const;
  static int on_certificate(SSL* ssl, void* self);
  static int on_alpn(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_bytes, const unsigned char* offered,
                     unsigned int offered_bytes, void* self);
  static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                       int sealing);

  SslCtxPtr context_;
  const TicketKeys& tickets_;
  std::vector<Identity> identities_;
  std::unordered_map<std::string, std::vector<const Identity*>> by_name_;   // "*.example.com" is stored unchanged
  std::vector<const Identity*> default_;
  std::string alpn_;                          // in wire format: each preceded by its length
};

// For both roles: sets versions and suites, and disables what is not used.
SslCtxPtr make_context(const SSL_METHOD* method, config::TlsMinimum minimum);

}  // namespace baton::tls
