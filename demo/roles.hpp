// The demo in parts, for when the proxy is started separately, as in containers (docker/demo.sh): the origin, the
// clients, and a certificate. Each is a hidden command of baton-demo.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace baton::demo {

struct OriginRole {
  std::uint16_t http_port = 8000;  // on every address of this machine; likewise the other
  std::uint16_t echo_port = 9000;
};

// Serves until SIGINT or SIGTERM; returns 0.
int run(const OriginRole& role);

struct ClientsRole {
  std::vector<std::string> hosts;   // addresses or names of the proxy; for each there are clients of every kind
  std::string ca;                   // a PEM file: the signer of the proxy's certificate
  std::string name = "baton.test";  // the name in the certificate
  std::uint16_t http_port = 8080;
  std::uint16_t tls_port = 8443;
  std::uint16_t tcp_port = 9000;
};

// Each line of `questions` asks how the clients are; the one-line answer comes when each of them has received something
// more. At the end of `questions` each client finishes, and the verdict follows. Returns 0 if no client noticed a
// fault, else 1 after lines that describe the faults.
int run(const ClientsRole& role, std::istream& questions, std::ostream& answers);

struct CertificateRole {
  std::string folder;
  std::string name = "baton.test";
};

// Writes site.pem and site.key into the folder, unless they exist. Returns 0.
int run(const CertificateRole& role);

}  // namespace baton::demo
