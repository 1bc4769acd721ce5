// The names of what TLS may use, as OpenSSL and IANA write them: exactly what Baton speaks.
#pragma once

#include <span>
#include <string_view>

namespace baton::config {

struct TlsName {
  std::string_view name;   // OpenSSL's, under which it is stored
  std::string_view other;  // another name for the same
};

// Of TLS 1.2, of TLS 1.3, and the groups of both. A test compares the suites with those of the record layer.
std::span<const TlsName> tls12_ciphers();
std::span<const TlsName> tls13_ciphersuites();
std::span<const TlsName> tls_curves();

}  // namespace baton::config
