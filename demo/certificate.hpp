// The demo's certificate: generated for each run, for 127.0.0.1, self-signed and trusted only by the demo.
#pragma once

#include <string>

#include "demo/entrances.hpp"
#include "demo/temp_dir.hpp"

namespace baton::demo {

// PEM.
struct Certificate {
  std::string certificate;
  std::string key;  // private
};

// ECDSA on P-256, valid for a day. Throws std::runtime_error.
Certificate make_certificate();

// Where it is stored.
struct CertificateFiles {
  std::string certificate;
  std::string key;  // mode 0600
};

// Throws std::system_error.
CertificateFiles store(const Certificate& certificate, const TempDir& dir);

// The server's side of TLS.
TlsContext server_context(const Certificate& certificate);

// The client's side of one version; a server with any other certificate is refused. Null for `Transport::plain`.
TlsContext client_context(const Certificate& certificate, Transport transport);

// The entrances of a server that has `certificate`.
EntrancesByTransport make_entrances(const Endpoints& endpoints, const Certificate& certificate);

}  // namespace baton::demo
