// One call of gRPC's health service over a new HTTP/2 connection, as a client: without I/O, which the prober does.
//
// gRPC Health Checking Protocol; gRPC over HTTP/2; RFC 9113.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http2/frame_format.hpp"
#include "proxy/http2/hpack_decoder.hpp"
#include "proxy/state/buffer.hpp"
#include "proxy/state/hpack_table.hpp"

namespace baton::health {

class GrpcCheck {
 public:
  struct Call {
    std::string_view authority;
    std::string_view service;  // empty: the server as a whole
    bool is_over_tls = false;
    std::chrono::milliseconds timeout{};
  };

  // Writes all that a client says unasked: the preface, its settings, and the call.
  static void begin(const Call& call, state::Buffer& out);

  // Why a server is not well; empty: it is.
  using Verdict = std::string;
  // Takes the whole frames at the front of `in`, and writes to `out` what they must be answered with. Nothing: the
  // answer is not complete. After a verdict the connection is of no more use.
  std::optional<Verdict> read(state::Buffer& in, state::Buffer& out);

  // Writes that the client is about to close.
  static void say_goodbye(state::Buffer& out);

  // Whether the server has shown that it speaks HTTP/2.
  bool has_begun() const { return has_settings_; }

 private:
  std::optional<Verdict> take(const http2::FrameHead& head, std::string_view content, state::Buffer& out);
  std::optional<Verdict> take_headers(const http2::FrameHead& head, std::string_view content);
  std::optional<Verdict> take_block();
  std::optional<Verdict> take_data(std::string_view content, bool is_last);
  Verdict judge() const;

  bool has_settings_ = false;  // the server's preface has come
  unsigned frames_ = 0;
  state::HpackTable table_;
  state::Buffer block_;  // of a header block whose end has not come
  bool is_in_block_ = false;
  bool block_is_last_ = false;  // it ends the stream
  http2::HeaderList list_;
  bool has_head_ = false;
  std::string message_;               // the answer with its gRPC prefix
  std::optional<unsigned> status_{};  // gRPC's
};

}  // namespace baton::health
