// What an upstream with TLS needs for handshakes: which CAs to trust and which name to expect. Immutable, and shared by
// the workers.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "proxy/tls/openssl.hpp"

namespace baton::tls {

class ClientContext {
 public:
  // Throws std::runtime_error naming the file.
  explicit ClientContext(const config::UpstreamTls& tls);

  // A new client for the server at `host` (a name or an IP address), which its certificate must name.
  SslPtr make(const std::string& host) const;

  // What the client offers by ALPN (RFC 7301), the most wanted first. It fails only for lack of memory.
  static void offer(SSL& ssl, std::initializer_list<std::string_view> protocols);

  // A digest of the settings under which connections are made, including all files' contents. Connections and sessions
  // are used only under the same settings. (A resumption verifies nothing and presents no certificate.)
  const std::string& terms() const { return terms_; }

 private:
  SslCtxPtr context_;
  bool verify_;
  std::string server_name_;
  std::string terms_;
};

}  // namespace baton::tls
