// Header lists as HTTP/1.1 text: what RFC 9113 §8 requires of them is checked here, the rest by the tokeniser of http1.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "proxy/http2/hpack_decoder.hpp"
#include "proxy/state/buffer.hpp"

namespace baton::http2 {

// What a request's head says that its text does not.
struct RequestFacts {
  std::optional<std::uint64_t> content_length;  // if it is one number
  bool is_extended_connect = false;             // RFC 8441; the text is a GET with Upgrade
};

// Appends the head with its empty line. The authority becomes Host, cookies are joined (§8.2.3). nullopt: it is
// malformed (§8.1.1), and nothing was appended.
std::optional<RequestFacts> append_request(std::span<const HeaderField> list, state::Buffer& out);

struct ResponseFacts {
  std::uint16_t status = 0;
  std::optional<std::uint64_t> content_length;  // if it is one number
};
// The same for a response.
std::optional<ResponseFacts> append_response(std::span<const HeaderField> list, state::Buffer& out);

// Appends a trailer section with its empty line. False: it is malformed.
bool append_trailers(std::span<const HeaderField> list, state::Buffer& out);

}  // namespace baton::http2
