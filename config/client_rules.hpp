// What the configuration says about who a client is, and what a request carries to tell.
#pragma once

#include <string>
#include <vector>

#include "config/network.hpp"

namespace baton::config {

// Whose word on the client counts.
struct TrustedProxies {
  std::vector<Network> networks;
  bool unix_sockets = false;  // every client of a Unix socket
  bool operator==(const TrustedProxies&) const = default;
};

// The request fields that tell a server who the client is.
struct ForwardedFields {
  bool x_forwarded = true;  // X-Forwarded-For, -Proto and -Host
  bool forwarded = false;   // Forwarded (RFC 7239)
  bool x_real_ip = false;
  bool operator==(const ForwardedFields&) const = default;
};

struct RequestId {
  std::string header = "X-Request-Id";
  bool trust = false;  // a client's own is kept
  bool operator==(const RequestId&) const = default;
};

// accept: a connection may begin with a PROXY header; require: it must.
enum class ProxyProtocol { off, accept, require };

// What connections to servers begin with.
enum class ProxyHeaderSent { off, v1, v2 };

// propagate: a request without a traceparent gets one.
enum class Tracing { off, propagate };

}  // namespace baton::config
