// Why TLS with the other side failed, for counters.
#pragma once

#include <cstdint>

namespace baton::tls {

enum class FailureKind : std::uint8_t {
  closed,    // the other side ended the connection
  alert,     // it sent a fatal alert
  refused,   // there is nothing that both speak, or its certificate is not accepted
  protocol,  // what came is not TLS, or breaks it
};

}  // namespace baton::tls
