// What both sides of the conversation do with records: send, receive, check a Hello.
#pragma once

#include <google/protobuf/message_lite.h>

#include <string>

#include "handoff/channel.hpp"
#include "handoff/handoff.pb.h"
#include "handoff/parties.hpp"
#include "handoff/report.hpp"

namespace baton::handoff {

std::int64_t monotonic_us();

Result<void> send_record(Channel& channel, Kind kind, const google::protobuf::MessageLite& record, Deadline deadline,
                         std::span<const int> descriptors = {}, const SecretBytes& secrets = {});

// The next frame, which must be of `kind`. An Abort becomes Fault::refused with its text.
Result<Frame> receive_kind(Channel& channel, Kind kind, Deadline deadline);

// The error for a frame that does not belong here: an Abort's own text, or that the frame was not expected.
Error unexpected_frame(const Frame& frame, Kind expected);

template <class Record>
Result<Record> parse(const Frame& frame) {
  Record record;
  if (!record.ParseFromString(frame.record)) {
    return fail(Fault::malformed, std::string(kind_name(frame.kind)) + " cannot be read");
  }
  return record;
}

wire::Hello make_hello(const Side& self, const std::vector<std::string>& features);
// Checks that both sides share a protocol version; the error names the ranges.
Result<void> check_hello(const wire::Hello& hello);

wire::Remaining to_wire(const Remaining& remaining);
Remaining from_wire(const wire::Remaining& record);
wire::Report to_wire(const Report& report);
Report from_wire(const wire::Report& record);

}  // namespace baton::handoff
