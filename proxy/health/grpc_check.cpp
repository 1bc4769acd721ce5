#include "proxy/health/grpc_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <system_error>

#include "proxy/http2/hpack_encoder.hpp"

namespace baton::health {

using http2::FrameHead;
using http2::FrameType;

namespace {

constexpr std::uint32_t stream_of_call = 1;

// A server that sends more than that has another purpose than to answer.
constexpr unsigned frames_max = 1000;
constexpr std::size_t block_bytes_max = 16 * 1024;
constexpr std::size_t list_bytes_max = 16 * 1024;
constexpr std::size_t message_bytes_max = 1024;

constexpr const char* not_http2 = "it does not speak HTTP/2";
constexpr const char* malformed = "its answer is malformed";
constexpr const char* too_large = "its answer is too large";

// ── Messages (gRPC over HTTP/2; Protocol Buffers encoding) ────────────────────────────────────────────────────────

constexpr std::size_t message_prefix_bytes = 5;  // a byte: whether it is compressed; four: its size

// The text of grpc.health.v1.HealthCheckResponse.ServingStatus.
constexpr std::array serving_statuses{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
constexpr std::uint64_t serving = 1;

void append_byte(state::Buffer& out, std::size_t value) {
  const char byte = static_cast<char>(value);
  out.append({&byte, 1});
}

// HealthCheckRequest { string service = 1; }
void append_request(state::Buffer& out, std::string_view service) {
  state::Buffer message;
  if (!service.empty()) {
    append_byte(message, 0x0a);
    std::size_t left = service.size();
    for (; left >= 0x80; left >>= 7) append_byte(message, 0x80 | (left & 0x7f));
    append_byte(message, left);
    message.append(service);
  }
  append_byte(out, 0);
  http2::append_number(out, static_cast<std::uint32_t>(message.size()));
  out.append(message.view());
}

std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return std::nullopt;
}

// HealthCheckResponse { ServingStatus status = 1; }; nothing: it is malformed. Other fields are passed over.
std::optional<std::uint64_t> serving_status(std::string_view message) {
  constexpr std::uint64_t status_tag = 1 << 3;
  std::uint64_t status = 0;
  while (!message.empty()) {
    const auto tag = take_varint(message);
    if (!tag) return std::nullopt;
    std::uint64_t skipped = 0;
    switch (*tag & 7) {
      case 0: {
        const auto value = take_varint(message);
        if (!value) return std::nullopt;
        if (*tag == status_tag) status = *value;
        break;
      }
      case 1:
        skipped = 8;
        break;
      case 2: {
        const auto size = take_varint(message);
        if (!size) return std::nullopt;
        skipped = *size;
        break;
      }
      case 5:
        skipped = 4;
        break;
      default:
        return std::nullopt;
    }
    if (skipped > message.size()) return std::nullopt;
    message.remove_prefix(skipped);
  }
  return status;
}

// The codes of gRPC, and what some of them mean here.
std::string text_of_status(unsigned status) {
  constexpr std::array names{
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  constexpr unsigned not_found = 5, unimplemented = 12;
  const std::string text = fmt::format("gRPC status {} ({})", status, status < names.size() ? names[status] : "?");
  if (status == not_found) return text + ": it does not know this service";
  if (status == unimplemented) return text + ": it has no grpc.health.v1.Health";
  return text;
}

std::string_view value_of(std::span<const http2::HeaderField> fields, std::string_view name) {
  const auto field = std::ranges::find(fields, name, &http2::HeaderField::name);
  return field == fields.end() ? std::string_view() : field->value;
}

std::optional<unsigned> count(std::string_view digits) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

}  // namespace

void GrpcCheck::begin(const Call& call, state::Buffer& out) {
  out.append(http2::preface);
  constexpr std::string_view no_push("\0\2\0\0\0\0", 6);  // SETTINGS_ENABLE_PUSH = 0
  http2::append_frame(out, FrameType::settings, 0, 0, no_push);

  state::Buffer block;
  http2::append_pseudo(block, http2::PseudoField::method, "POST");
  http2::append_pseudo(block, http2::PseudoField::scheme, call.is_over_tls ? "https" : "http");
  http2::append_pseudo(block, http2::PseudoField::path, "/grpc.health.v1.Health/Check");
  http2::append_pseudo(block, http2::PseudoField::authority, call.authority);
  http2::append_field(block, "te", "trailers");
  http2::append_field(block, "content-type", "application/grpc");
  http2::append_field(block, "user-agent", "baton-health");
  http2::append_field(block, "grpc-timeout", fmt::format("{}m", call.timeout.count()));
  http2::append_frame(out, FrameType::headers, http2::flag_end_headers, stream_of_call, block.view());

  state::Buffer message;
  append_request(message, call.service);
  http2::append_frame(out, FrameType::data, http2::flag_end_stream, stream_of_call, message.view());
}

void GrpcCheck::say_goodbye(state::Buffer& out) {
  constexpr std::string_view no_error_of_no_stream("\0\0\0\0\0\0\0\0", 8);
  http2::append_frame(out, FrameType::goaway, 0, 0, no_error_of_no_stream);
}

std::optional<GrpcCheck::Verdict> GrpcCheck::read(state::Buffer& in, state::Buffer& out) {
  while (in.size() >= http2::frame_head_bytes) {
    const FrameHead head = http2::read_frame_head(in.data());
    if (!has_settings_) {  // the server's preface (RFC 9113 §3.4)
      const bool is_preface = head.type == FrameType::settings && !head.has(http2::flag_ack) && head.stream == 0;
      if (head.bytes > http2::frame_bytes_max || !is_preface) return not_http2;
    }
    if (head.bytes > http2::frame_bytes_max) return malformed;
    if (in.size() < http2::frame_head_bytes + head.bytes) return std::nullopt;
    if (++frames_ > frames_max) return "it sends too much beside its answer";
    if (auto verdict = take(head, in.view().substr(http2::frame_head_bytes, head.bytes), out)) return verdict;
    in.consume(http2::frame_head_bytes + head.bytes);
  }
  return std::nullopt;
}

std::optional<GrpcCheck::Verdict> GrpcCheck::take(const FrameHead& head, std::string_view content, state::Buffer& out) {
  if (is_in_block_ != (head.type == FrameType::continuation)) return malformed;
  const bool is_of_call = head.stream == stream_of_call;
  if (head.type == FrameType::data || head.type == FrameType::headers) {
    if (!is_of_call || !http2::strip_padding(head, content)) return malformed;
  }
  switch (head.type) {
    case FrameType::settings:
      has_settings_ = true;
      if (!head.has(http2::flag_ack)) http2::append_frame(out, FrameType::settings, http2::flag_ack, 0, {});
      return std::nullopt;
    case FrameType::ping:
      if (content.size() != 8) return malformed;
      if (!head.has(http2::flag_ack)) http2::append_frame(out, FrameType::ping, http2::flag_ack, 0, content);
      return std::nullopt;
    case FrameType::data:
      return take_data(content, head.has(http2::flag_end_stream));
    case FrameType::headers:
      return take_headers(head, content);
    case FrameType::continuation:
      if (!is_of_call) return malformed;
      if (block_.size() + content.size() > block_bytes_max) return too_large;
      block_.append(content);
      if (!head.has(http2::flag_end_headers)) return std::nullopt;
      return take_block();
    case FrameType::rst_stream:
      if (content.size() != 4) return malformed;
      if (!is_of_call) return std::nullopt;
      return fmt::format("it reset the call, with error {}", http2::read_number(content.data()));
    case FrameType::goaway: {
      if (content.size() < 8) return malformed;
      const std::uint32_t last_stream = http2::read_number(content.data()) & 0x7fff'ffff;
      const std::uint32_t error = http2::read_number(content.data() + 4);
      if (last_stream >= stream_of_call && error == 0) return std::nullopt;  // it still answers this call
      return fmt::format("it ended the connection, with error {}", error);
    }
    case FrameType::push_promise:
      return malformed;
    default:
      return std::nullopt;  // of no use here, or of a later RFC
  }
}

std::optional<GrpcCheck::Verdict> GrpcCheck::take_headers(const FrameHead& head, std::string_view content) {
  if (head.has(http2::flag_priority)) {
    if (content.size() < http2::priority_bytes) return malformed;
    content.remove_prefix(http2::priority_bytes);
  }
  block_.append(content);
  block_is_last_ = head.has(http2::flag_end_stream);
  is_in_block_ = true;
  return head.has(http2::flag_end_headers) ? take_block() : std::nullopt;
}

// A head, an interim one, the trailers, or a head that is all three ("Trailers-Only").
std::optional<GrpcCheck::Verdict> GrpcCheck::take_block() {
  is_in_block_ = false;
  const http2::BlockError error = http2::decode_block(block_.view(), table_, list_bytes_max, list_);
  block_.clear();
  if (error != http2::BlockError::none) return error == http2::BlockError::too_large ? too_large : malformed;
  const auto fields = list_.fields();
  if (!has_head_) {
    const auto http_status = count(value_of(fields, ":status"));
    if (!http_status) return malformed;
    if (*http_status < 200 && !block_is_last_) return std::nullopt;
    if (*http_status != 200) return fmt::format("status {}", *http_status);
    if (!value_of(fields, "content-type").starts_with("application/grpc")) return "its answer is not gRPC";
    has_head_ = true;
  } else if (!block_is_last_) {
    return malformed;
  }
  if (!block_is_last_) return std::nullopt;
  status_ = count(value_of(fields, "grpc-status"));
  return judge();
}

std::optional<GrpcCheck::Verdict> GrpcCheck::take_data(std::string_view content, bool is_last) {
  if (!has_head_) return malformed;
  if (message_.size() + content.size() > message_bytes_max) return too_large;
  message_ += content;
  return is_last ? std::optional(judge()) : std::nullopt;
}

GrpcCheck::Verdict GrpcCheck::judge() const {
  if (!status_) return "its answer has no gRPC status";
  if (*status_ != 0) return text_of_status(*status_);
  if (message_.size() < message_prefix_bytes ||
      http2::read_number(message_.data() + 1) != message_.size() - message_prefix_bytes) {
    return malformed;
  }
  if (message_[0] != 0) return "its answer is compressed";
  const auto status = serving_status(std::string_view(message_).substr(message_prefix_bytes));
  if (!status) return malformed;
  if (*status == serving) return {};
  return fmt::format("it is {}", *status < serving_statuses.size() ? serving_statuses[*status] : "UNKNOWN");
}

}  // namespace baton::health
