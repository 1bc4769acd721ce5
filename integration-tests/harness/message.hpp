// An HTTP/1 reader for tests: small, strict, and independent of the proxy's own parser. Any deviation from RFC 9112
// throws Failure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "clients/chunks.hpp"
#include "clients/content.hpp"
#include "harness/stream.hpp"

namespace baton::harness {

struct Message {
  std::string start_line;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;  // without chunk framing
  std::vector<std::pair<std::string, std::string>> trailers;
  bool chunked = false;
  std::string raw_head;  // as received, including the empty line

  // The value of the only field of that name, ignoring case; none: there is no such field. Two fields throw.
  std::optional<std::string> field(std::string_view name) const;
  std::optional<std::string> trailer(std::string_view name) const;
};

struct Request : Message {
  std::string method() const;
  std::string target() const;
  std::string version() const;  // "HTTP/1.1"
};

struct Response : Message {
  int status() const;
  std::vector<Response> interim;  // the 1xx answers that came before
};

enum class BodyIs { as_framed, absent };

// Start line and fields of the next message on the stream.
Message read_head(Stream& stream);

// By length, by chunks (trailers too), or none; a response without either lasts until FIN.
void read_request_body(Stream& stream, Request& request);
void read_response_body(Stream& stream, Response& response);

// A whole final response. `absent`: the answer to HEAD. 204 and 304 have no body anyway.
Response read_response(Stream& stream, BodyIs body = BodyIs::as_framed);

using clients::chunk;
using clients::last_chunk;
using clients::pattern;

}  // namespace baton::harness
