// What clients ask and what must come back. Origin and clients share only these pure functions, so an answer that was
// lost, doubled, cut, mixed up or altered on its way cannot pass for the right one.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace baton::demo {

// "/client/12/request/34"
std::string request_target(unsigned client, std::uint64_t serial);

// The whole body that answers `target`: it names the target in every line, and its length (one line to some
// kilobytes) depends on it.
std::string expected_body(std::string_view target);

// A whole request head; `fields`: those beyond the usual ones, each with its line's end.
std::string request_head(std::string_view target, const boost::asio::ip::tcp::endpoint& server,
                         std::string_view method = "GET", std::string_view fields = {});

// The streams' targets are these and a number. Downloads and floods are Content (content.hpp) by its target, the first
// at a steady pace, the other as fast as it is taken; uploads are Content too.
inline constexpr std::string_view download_prefix = "/download/";
inline constexpr std::string_view flood_prefix = "/flood/";
inline constexpr std::string_view events_prefix = "/events/";
inline constexpr std::string_view upload_prefix = "/upload/";
inline constexpr std::string_view websocket_prefix = "/websocket/";

// The announced length of downloads and floods, beyond what any demo transfers.
inline constexpr std::uint64_t download_bytes = std::uint64_t{1} << 40;

// One server-sent event of the stream `target`; they are counted from 1.
std::string expected_event(std::string_view target, std::uint64_t serial);

// The response field that repeats the target.
inline constexpr std::string_view echo_field = "X-Demo-Target";

}  // namespace baton::demo
