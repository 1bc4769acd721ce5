// One call of gRPC's health service over a new HTTP/2 connection, as a client: without I/O, which the prober does.
//
// gRPC Health Checking Protocol; gRPC over HTTP/2; RFC 9113.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/health/http2_call.hpp"

namespace baton::health {

class GrpcCheck {
 public:
  struct Call {
    std::string_view authority;
    std::string_view service;  // empty: the server as a whole
    bool is_over_tls = false;
    std::chrono::milliseconds timeout{};
  };

  // `leg` outlives this. Writes all that a client says unasked: the preface, its settings, and the call.
  GrpcCheck(const Call& call, state::UpstreamLeg& leg);

  // Why a server is not well; empty: it is.
  using Verdict = std::string;
  // Takes what has come on the leg, and writes what must be answered. Nothing: the answer is not complete. After a
  // verdict the connection is of no more use.
  std::optional<Verdict> read(std::int64_t now_ms);

  // Writes that the client is about to close.
  static void say_goodbye(state::Buffer& out);

 private:
  std::optional<Verdict> judge_head(const http1::ResponseHead& head);
  Verdict judge();

  Http2Call call_;
  bool has_head_ = false;
  std::optional<unsigned> status_;  // gRPC's
};

}  // namespace baton::health
