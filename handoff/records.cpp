#include "handoff/records.hpp"

#include <algorithm>

#include "handoff/limits.hpp"

namespace baton::handoff {

std::int64_t monotonic_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
}

Result<void> send_record(Channel& channel, Kind kind, const google::protobuf::MessageLite& record, Deadline deadline,
                         std::span<const int> descriptors, const SecretBytes& secrets) {
  return channel.send(kind, record.SerializeAsString(), descriptors, secrets, deadline);
}

void send_abort(Channel& channel, const Error& error, Deadline deadline) {
  wire::Abort abort;
  abort.set_code(static_cast<std::uint32_t>(error.fault));
  abort.set_text(error.text.substr(0, limits::text_bytes_max));
  (void)send_record(channel, Kind::abort, abort, deadline);
}

Error unexpected_frame(const Frame& frame, Kind expected) {
  if (frame.kind == Kind::abort) {
    wire::Abort abort;
    std::string text = "for a reason that cannot be read";
    if (abort.ParseFromString(frame.record)) text = abort.text().substr(0, limits::text_bytes_max);
    return {Fault::refused, text};
  }
  return {Fault::malformed, std::string("the other side sent ") + kind_name(frame.kind) + " where " +
                                kind_name(expected) + " belongs"};
}

Result<Frame> receive_kind(Channel& channel, Kind kind, Deadline deadline) {
  auto frame = channel.receive(deadline);
  if (!frame) {
    std::string text = frame.error().text + " (waiting for " + kind_name(kind) + ")";
    return fail(frame.error().fault, std::move(text));
  }
  if (frame->kind != kind) return std::unexpected(unexpected_frame(*frame, kind));
  return frame;
}

wire::Hello make_hello(const Side& self, const std::vector<std::string>& features) {
  wire::Hello hello;
  hello.set_protocol_min(limits::protocol_min);
  hello.set_protocol_max(limits::protocol_max);
  hello.set_version(self.version);
  hello.set_generation(self.generation);
  hello.set_pid(self.pid);
  for (const auto& feature : features) hello.add_features(feature);
  hello.set_monotonic_us(monotonic_us());
  hello.set_sockets_max(limits::sockets_inherited_max);
  return hello;
}

Result<void> check_hello(const wire::Hello& hello) {
  if (hello.protocol_min() <= limits::protocol_max && hello.protocol_max() >= limits::protocol_min &&
      hello.protocol_min() <= hello.protocol_max()) {
    return {};
  }
  return fail(Fault::refused, "no common handoff protocol: the other side speaks " +
                                  std::to_string(hello.protocol_min()) + " to " +
                                  std::to_string(hello.protocol_max()) + ", we speak " +
                                  std::to_string(limits::protocol_min) + " to " +
                                  std::to_string(limits::protocol_max));
}

wire::Remaining to_wire(const Remaining& remaining) {
  wire::Remaining record;
  record.set_connections(remaining.connections);
  record.set_descriptors(remaining.descriptors);
  return record;
}

Remaining from_wire(const wire::Remaining& record) { return {record.connections(), record.descriptors()}; }

wire::Report to_wire(const Report& report) {
  wire::Report record;
  for (const auto& [label, number] : report.moved) {
    auto& count = *record.add_moved();
    count.set_label(label);
    count.set_number(number);
  }
  for (const auto& [reason, number] : report.refused) {
    auto& count = *record.add_refused();
    count.set_label(reason);
    count.set_number(number);
  }
  record.set_taken_back(report.taken_back);
  record.set_returned(report.returned);
  record.set_left_behind(report.left_behind);
  record.set_left_behind_ms(report.left_behind_ms);
  record.set_pause_p50_us(report.pauses.p50_us);
  record.set_pause_p99_us(report.pauses.p99_us);
  record.set_pause_max_us(report.pauses.max_us);
  for (const std::uint64_t number : report.pauses.by_log2) record.add_pause_us_log2(number);
  record.set_pause_sum_us(report.pauses.sum_us);
  record.set_duration_us(report.duration_us);
  record.set_from_generation(report.from.generation);
  record.set_from_pid(report.from.pid);
  record.set_from_version(report.from.version);
  record.set_to_generation(report.to.generation);
  record.set_to_pid(report.to.pid);
  record.set_to_version(report.to.version);
  return record;
}

Report from_wire(const wire::Report& record) {
  Report report;
  for (const auto& count : record.moved()) report.moved[count.label()] += count.number();
  for (const auto& count : record.refused()) report.refused[count.label()] += count.number();
  report.taken_back = record.taken_back();
  report.returned = record.returned();
  report.left_behind = record.left_behind();
  report.left_behind_ms = record.left_behind_ms();
  const auto& by_log2 = record.pause_us_log2();
  report.pauses = {record.pause_p50_us(),
                   record.pause_p99_us(),
                   record.pause_max_us(),
                   {by_log2.begin(), by_log2.begin() + std::min(by_log2.size(), limits::pause_magnitudes_max)},
                   record.pause_sum_us()};
  report.duration_us = record.duration_us();
  report.from = {record.from_generation(), record.from_pid(), record.from_version()};
  report.to = {record.to_generation(), record.to_pid(), record.to_version()};
  return report;
}

}  // namespace baton::handoff
