// One GET over a new HTTP/2 connection, as a client: without I/O, which the prober does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/health/http2_call.hpp"

namespace baton::health {

class Http2Get {
 public:
  struct Request {
    std::string_view authority;
    std::string_view path;
    bool is_over_tls = false;
  };

  // `leg` outlives this. Writes all that a client says unasked: the preface, its settings, and the request.
  Http2Get(const Request& request, state::UpstreamLeg& leg);

  struct Answer {
    std::uint16_t status = 0;  // 0: none; see `why`
    std::string why{};
  };
  // Takes what has come on the leg, and writes what must be answered. Nothing: more must come.
  std::optional<Answer> read(std::int64_t now_ms);

 private:
  Http2Call call_;
};

}  // namespace baton::health
