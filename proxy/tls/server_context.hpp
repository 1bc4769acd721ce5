// What a TLS listener needs for handshakes: its certificates, chosen by server name, and its rules. Immutable, and
// shared by the workers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/config.hpp"
#include "handoff/secret_bytes.hpp"
#include "proxy/tls/openssl.hpp"
#include "proxy/tls/ticket_keys.hpp"

namespace baton::tls {

// A certificate with its key and chain.
struct Identity {
  X509Ptr certificate;
  KeyPtr key;
  std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> chain;
  std::vector<std::string> names;             // lower case; from the subject's alternative names, else its common name
  config::Certificate files = {};
  std::int64_t valid_from_s = 0;   // since 1970
  std::int64_t valid_until_s = 0;  // the same
};

// Throws std::runtime_error naming the file and the position in the configuration that names it.
Identity load_identity(const config::Certificate& certificate);

// Something that an operator should know about a listener's certificates, none of which kept it from being made.
struct Note {
  bool is_error = false;
  std::string text;
  bool operator==(const Note&) const = default;
};

class ServerContext;

// How a listener's files are read.
struct Reading {
  // Whether an unusable pair of a folder, or an unreadable folder, is left out instead of thrown.
  bool leaves_out_unusable = false;
  // nullptr: there is none. Else it gives what has not changed, and what cannot be read any more.
  const ServerContext* before = nullptr;
  std::function<bool(const std::string& path)> has_changed = {};  // since `before` was made; needed with that
};

class ServerContext {
 public:
  // Throws as above. `tickets` outlives this.
  ServerContext(const config::ListenerTls& tls, const std::string& listener, const TicketKeys& tickets,
                const Reading& reading = {});

  SSL_CTX* get() const { return context_.get(); }

  // In the order of the configuration. Only if it names folders there may be none; then handshakes fail.
  const std::vector<std::shared_ptr<const Identity>>& identities() const { return identities_; }
  const std::vector<Note>& notes() const { return notes_; }
  // Whether both were made from the same files.
  bool is_as(const ServerContext& other) const {
    return identities_ == other.identities_ && client_ca_ == other.client_ca_;
  }

  // Whether the certificate for clients that name `server_name` is one for `host`, a name or an IP address.
  bool covers(std::string_view server_name, std::string_view host) const;

 private:
  // The identities for the name: an exact match, else a wildcard, else the default. One for each key type.
  const std::vector<const Identity*>& choose(std::string_view server_name) const;
  void read_identities(const config::ListenerTls& tls, const Reading& reading);
  void add(const config::Certificate& files, bool is_of_folder, const Reading& reading);
  void leave_out_unreadable(const config::File& folder, int error, const Reading& reading);
  void check_ciphers(const config::ListenerTls& tls, const Reading& reading);
  std::shared_ptr<const Identity> find(const config::Certificate& files) const;
  void load_client_ca(const config::ListenerTls& tls, const Reading& reading);
  void set_session_context(const config::ListenerTls& tls, const std::string& listener);

  int show_certificates(SSL* ssl) const;
  static int on_certificate(SSL* ssl, void* self);
  static int on_alpn(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_bytes, const unsigned char* offered,
                     unsigned int offered_bytes, void* self);
  static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                       int sealing);

  SslCtxPtr context_;
  const TicketKeys& tickets_;
  std::vector<std::shared_ptr<const Identity>> identities_;
  std::vector<Note> notes_;
  std::shared_ptr<const handoff::SecretBytes> client_ca_;  // the file's content; nullptr: clients present nothing
  std::unordered_map<std::string, std::vector<const Identity*>> by_name_;   // "*.example.com" is stored unchanged
  std::vector<const Identity*> default_;
  std::string alpn_;                          // in wire format: each preceded by its length
};

// For both roles: sets versions and suites, and disables what is not used.
SslCtxPtr make_context(const SSL_METHOD* method, config::TlsMinimum minimum);

}  // namespace baton::tls
