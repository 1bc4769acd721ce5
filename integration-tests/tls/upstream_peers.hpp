// nginx and HAProxy as TLS servers in front of the test's origin. Each adds to every response what it knows about the
// connection: X-Resumed (0, 1), X-Port (the client's, which identifies the connection), X-Name (the server name),
// X-Client (the client certificate's subject).
#pragma once

#include <memory>
#include <string>

#include "harness/certificates.hpp"
#include "harness/nginx.hpp"

namespace baton::harness {

class TlsServer {
 public:
  virtual ~TlsServer() = default;
  virtual const Address& address() const = 0;
};

struct TlsServerOptions {
  Certificate certificate;
  std::string version = "1.3";  // the only one
  std::string client_ca = {};   // if set, it requests a client certificate
};

std::unique_ptr<TlsServer> nginx_before(const Address& origin, const TlsServerOptions& options);
std::unique_ptr<TlsServer> haproxy_before(const Address& origin, const TlsServerOptions& options);

}  // namespace baton::harness
