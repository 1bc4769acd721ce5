// The demo's certificate: generated for each run, self-signed and trusted only by the demo.
#pragma once

#include <string>

#include "demo/entrances.hpp"

namespace baton::demo {

// PEM.
struct Certificate {
  std::string certificate;
  std::string key;                 // private; a client needs none
  std::string host = "127.0.0.1";  // the name or address that it is for
};

// ECDSA on P-256, valid for a day. Throws std::runtime_error.
Certificate make_certificate(const std::string& host = "127.0.0.1");

// Where it is stored.
struct CertificateFiles {
  std::string certificate;
  std::string key;  // mode 0600
};

// Written as new files whose names begin with `stem`, the certificate last. Throws std::system_error.
CertificateFiles store(const Certificate& certificate, const std::string& stem);

// The server's side of TLS.
TlsContext server_context(const Certificate& certificate);

// The client's side of one version; a server with any other certificate is refused. Null for `Transport::plain`.
TlsContext client_context(const Certificate& certificate, Transport transport);

// The entrances of a server that has `certificate`.
EntrancesByTransport make_entrances(const Endpoints& endpoints, const Certificate& certificate);

}  // namespace baton::demo
