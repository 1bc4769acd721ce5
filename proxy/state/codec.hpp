// Converts between ConnectionState and the bytes of a parcel's payload. The wire format is state.proto. It grows by
// adding fields; the parcel's required features name what an older version could not serve.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "handoff/secret_bytes.hpp"
#include "handoff/unique_fd.hpp"
#include "proxy/state/state.hpp"

namespace baton::state {

using Moved = std::variant<ConnectionState, IdleUpstream>;

// Required by a parcel that has a leg with TLS.
inline constexpr const char* tls_feature = "tls";
// Required by a parcel of a connection that is Arriving.
inline constexpr const char* arriving_feature = "arriving";
// Required by a parcel of a connection that speaks HTTP/2.
inline constexpr const char* http2_feature = "h2";
// Required by a parcel with a leg to a server that carries streams of HTTP/2.
inline constexpr const char* carrier_feature = "h2-servers";
// Everything our decoder understands.
inline std::vector<std::string> features() {
  return {tls_feature, arriving_feature, http2_feature, carrier_feature};
}

// The clocks of the two processes differ between time namespaces: decoding adds `clock_offset_ms` to each time.
std::string encode(const ConnectionState& state);
std::string encode(const IdleUpstream& idle);
// The keys of its TLS legs, which no payload contains; empty: it has no such leg.
handoff::SecretBytes encode_secrets(const ConnectionState& state);
handoff::SecretBytes encode_secrets(const IdleUpstream& idle);

// The features that a decoder must understand to serve it.
std::vector<std::string> required_features(const ConnectionState& state);
std::vector<std::string> required_features(const IdleUpstream& idle);

// Not in the middle of a handshake, and not `is_kept`.
bool is_movable(const ConnectionState& state);
// OpenSSL keeps the TLS of a leg (tls/self_test.hpp), so the connection can never move.
bool is_kept(const ConnectionState& state);
// The sockets of its legs, in the order in which they move with it.
std::size_t descriptors(const ConnectionState& state);
void append_descriptors(const ConnectionState& state, std::vector<int>& to);
// `sockets`: as many as it has.
void set_descriptors(ConnectionState& state, std::span<const handoff::UniqueFd> sockets);

// Returns nothing if the bytes are not a whole valid state (cut short, unknown phase, number out of range), or the
// secrets are not those of its legs.
std::optional<Moved> decode(std::string_view bytes, std::string_view secrets, std::int64_t clock_offset_ms);

// The name of a state in reports and status: idle, head, exchange, tunnel, closing.
std::string_view phase_name(const ConnectionState& state);
// The same for an idle connection to a server, which moves as a parcel of its own.
inline constexpr const char* upstream_idle_label = "upstream_idle";

}  // namespace baton::state
