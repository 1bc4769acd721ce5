// HTTP/2 in the matrix of TLS.
#pragma once

#include "tls/lives.hpp"

namespace baton::harness {

// Streams of each kind on one connection; at each step the last record ends in the middle of a frame, and is cut
// itself.
std::unique_ptr<Life> http2_life(const Places& places, const TlsOptions& options);

}  // namespace baton::harness
