// One GET over a new HTTP/2 connection, as a client: without I/O, which the prober does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http2/frames.hpp"

namespace baton::health {

class Http2Get final : private http2::Streams {
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
  std::size_t count() const override { return 1; }
  state::Flow* find(std::uint32_t id) override { return stream_.stream->id == id ? &stream_ : nullptr; }
  state::Flow& begin(std::uint32_t id) override;
  void note_touched(state::Flow&) override {}
  void each(void (*visit)(state::Flow& flow, void* with), void* with) override { visit(stream_, with); }

  state::UpstreamLeg& leg_;
  state::Flow stream_;
  http2::Floods floods_;
  http2::Scratch scratch_;
};

}  // namespace baton::health
