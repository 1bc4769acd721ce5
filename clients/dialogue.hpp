// Requests and the expected answers. Origin and clients share only these pure functions, so an answer that was lost,
// doubled, cut, mixed up or altered on the way cannot pass for the right one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace baton::clients {

// "/client/12/request/34"
std::string request_target(unsigned client, std::uint64_t serial);

// The whole body of the answer to `target`. Every line names the target, which also determines the length (from one
// line to some kilobytes).
std::string expected_body(std::string_view target);

// A whole request head to `host`, an address with its port; `fields` are additional fields, each with its CRLF.
std::string request_head(std::string_view target, std::string_view host, std::string_view method = "GET",
                         std::string_view fields = {});

// A stream's target is one of these and a number. Downloads and floods are the Content (content.hpp) of their target,
// downloads at a steady pace and floods as fast as they are read; uploads are Content too.
inline constexpr std::string_view download_prefix = "/download/";
inline constexpr std::string_view flood_prefix = "/flood/";
inline constexpr std::string_view events_prefix = "/events/";
inline constexpr std::string_view upload_prefix = "/upload/";
inline constexpr std::string_view websocket_prefix = "/websocket/";
inline constexpr std::string_view grpc_prefix = "/grpc/";  // of a service, on a server of HTTP/2

// The announced length of downloads and floods, more than any demo transfers.
inline constexpr std::uint64_t download_bytes = std::uint64_t{1} << 40;

// One server-sent event of the stream `target`; they are counted from 1.
std::string expected_event(std::string_view target, std::uint64_t serial);

// The response field that repeats the target.
inline constexpr std::string_view echo_field = "X-Demo-Target";

}  // namespace baton::clients
