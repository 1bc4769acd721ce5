// The built-in origin's behaviours beyond plain answers, one file each. All run on the origin's thread. Each ends with
// its connection or when the client misbehaves.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "demo/wire.hpp"

namespace baton::demo {

struct Reply;  // origin.hpp

inline constexpr auto as_result = boost::asio::as_tuple(boost::asio::use_awaitable);

// A body of fixed length: `piece_bytes` at a time with `pause` in between, or without a pause as fast as it is read.
struct Pace {
  std::size_t piece_bytes;
  std::chrono::milliseconds pause;
};
boost::asio::awaitable<void> send_download(Wire& client, std::string target, Pace pace);

// A chunked body of server-sent events. Every pause is in the middle of a chunk.
boost::asio::awaitable<void> send_events(Wire& client, std::string target);

// Receives a body, by `length`, or chunked if there is none, and confirms it. `begun` is the part already received.
boost::asio::awaitable<void> take_upload(Wire& client, std::string target, std::optional<std::uint64_t> length,
                                         std::string begun);

// Accepts a WebSocket and echoes every frame.
boost::asio::awaitable<void> echo_frames(Wire& client, std::string target, std::string begun);

// HTTP/2: answers by `reply`, downloads, floods, events, uploads and echoes of gRPC on as many streams as the client
// opens.
boost::asio::awaitable<void> serve_http2(Wire client, const std::function<Reply(std::string_view)>& reply,
                                         std::string begun);

// Echoes every byte.
boost::asio::awaitable<void> echo_bytes(Wire client);

}  // namespace baton::demo
