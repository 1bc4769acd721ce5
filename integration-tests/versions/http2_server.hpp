// A server of HTTP/2 for recordings: it always sends the same bytes, whatever a library would make of them. Its answers
// name a field from the dynamic table, so a lost table shows.
//
//   .../bytes/N                N bytes
//   .../upload                 whether it was `body_of_kinds`
//   .../download               `body_of_kinds`, with a halt at the gate in the middle of a frame
//   .../download-with-upload   the same, once the first part of an upload has come on the connection
#pragma once

#include "harness/gate.hpp"
#include "harness/stream_server.hpp"

namespace baton::versions {

class Http2Server {
 public:
  explicit Http2Server(harness::Gate& gate);
  ~Http2Server() { gate_.open(); }

  const harness::Address& address() const { return server_.address(); }
  std::size_t accepted() const { return server_.accepted(); }

 private:
  harness::Gate& gate_;  // outlives this
  harness::StreamServer server_;
};

}  // namespace baton::versions
