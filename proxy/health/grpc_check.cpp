#include "proxy/health/grpc_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>
#include <utility>
#include <vector>

#include "proxy/http2/hpack_encoder.hpp"

namespace baton::health {

namespace {

// A server that sends more than that has another purpose than to answer.
constexpr std::size_t message_bytes_max = 1024;

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

std::string_view value_of(const std::vector<http1::Field>& fields, std::string_view name) {
  const auto field = std::ranges::find(fields, name, &http1::Field::name);
  return field == fields.end() ? std::string_view() : field->value;
}

std::optional<unsigned> count(std::string_view digits) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

}  // namespace

GrpcCheck::GrpcCheck(const Call& call, state::UpstreamLeg& leg) : call_(leg) {
  state::Buffer block;
  http2::append_pseudo(block, http2::PseudoField::method, "POST");
  http2::append_pseudo(block, http2::PseudoField::scheme, call.is_over_tls ? "https" : "http");
  http2::append_pseudo(block, http2::PseudoField::path, "/grpc.health.v1.Health/Check");
  http2::append_pseudo(block, http2::PseudoField::authority, call.authority);
  http2::append_field(block, "te", "trailers");
  http2::append_field(block, "content-type", "application/grpc");
  http2::append_field(block, "user-agent", "baton-health");
  http2::append_field(block, "grpc-timeout", fmt::format("{}m", call.timeout.count()));
  state::Buffer message;
  append_request(message, call.service);
  call_.send(block.view(), message.view());
}

void GrpcCheck::say_goodbye(state::Buffer& out) {
  constexpr std::string_view no_error_of_no_stream("\0\0\0\0\0\0\0\0", 8);
  http2::append_frame(out, http2::FrameType::goaway, 0, 0, no_error_of_no_stream);
}

std::optional<GrpcCheck::Verdict> GrpcCheck::read(std::int64_t now_ms) {
  std::string failure = call_.read(now_ms);
  const auto unless_failed = [&] { return failure.empty() ? std::nullopt : std::optional(std::move(failure)); };
  if (!has_head_) {
    http1::ResponseHead head;
    switch (call_.take_head(head)) {
      case Http2Call::Head::incomplete:
        return unless_failed();
      case Http2Call::Head::malformed:
        return malformed;
      case Http2Call::Head::whole:
        if (auto verdict = judge_head(head)) return verdict;
    }
  }
  if (call_.content().size() > message_bytes_max) return too_large;
  return call_.is_whole() ? judge() : unless_failed();
}

// It may be all that comes ("Trailers-Only"), and then has the status.
std::optional<GrpcCheck::Verdict> GrpcCheck::judge_head(const http1::ResponseHead& head) {
  if (head.status != 200) return fmt::format("status {}", head.status);
  if (!value_of(head.fields, "content-type").starts_with("application/grpc")) return "its answer is not gRPC";
  has_head_ = true;
  status_ = count(value_of(head.fields, "grpc-status"));
  return std::nullopt;
}

GrpcCheck::Verdict GrpcCheck::judge() {
  const std::string_view message = call_.content();
  if (!call_.trailers().empty()) {
    std::vector<http1::Field> trailers;
    if (http1::parse_trailers(call_.trailers(), {}, http1::Sender::server, trailers)) return malformed;
    status_ = count(value_of(trailers, "grpc-status"));
  } else if (!message.empty()) {
    status_.reset();
  }
  if (!status_) return "its answer has no gRPC status";
  if (*status_ != 0) return text_of_status(*status_);
  if (message.size() < message_prefix_bytes ||
      http2::read_number(message.data() + 1) != message.size() - message_prefix_bytes) {
    return malformed;
  }
  if (message[0] != 0) return "its answer is compressed";
  const auto status = serving_status(message.substr(message_prefix_bytes));
  if (!status) return malformed;
  if (*status == serving) return {};
  return fmt::format("it is {}", *status < serving_statuses.size() ? serving_statuses[*status] : "UNKNOWN");
}

}  // namespace baton::health
