// An origin that speaks HTTP/2 by prior knowledge: the echoes of gRPC, and whole answers (clients/dialogue.hpp).
#pragma once

#include "clients/dialogue.hpp"
#include "clients/http2_service.hpp"
#include "harness/stream_server.hpp"

namespace baton::harness {

class Http2Origin {
 public:
  const Address& address() const { return server_.address(); }

 private:
  static void serve(Stream& stream) {
    clients::Http2Service service(
        [](std::string_view target) { return clients::Http2Answer{.body = clients::expected_body(target)}; });
    for (std::string came; service.receive(came);) {
      for (std::string bytes; !(bytes = service.take_unsent()).empty();) stream.send(bytes);
      came = stream.read_exactly(1);
      came += stream.read_available();
    }
  }

  StreamServer server_{serve};
};

}  // namespace baton::harness
