// The kinds of connections that HTTP/2 brought.
#pragma once

#include "kinds.hpp"

namespace baton::versions {

// An upload and a download in their middle, and half of a third request, all to servers of HTTP/1.1.
ConnectionKind http2_kind();

// An upload to a server of HTTP/1.1; beside it an upload and a download in their middle, together on one connection to
// a server of HTTP/2.
ConnectionKind http2_to_http2_kind();

// A client of HTTP/1.1 with a download in its middle from a server of HTTP/2. Before, it had an answer from another,
// whose connection is idle now.
ConnectionKind http1_to_http2_kind();

// What a proxy says to a server of HTTP/2 for `get_request("/pooled/bytes/10")`, and the end of the answer.
std::string pooled_request();
std::string end_of_pooled_answer();

}  // namespace baton::versions
