// A recorded handover: each frame of both sides in order, as text that people can read and compare. Descriptors cannot
// be recorded; their number is.
#pragma once

#include <string>
#include <vector>

#include "handoff/channel.hpp"

namespace baton::versions {

enum class From { predecessor, successor };

struct RecordedFrame {
  From from = From::predecessor;
  handoff::Kind kind{};
  std::size_t descriptors = 0;
  std::string record;
  bool operator==(const RecordedFrame&) const = default;
};

// One line, without its newline: P or S, the kind's name, the number of descriptors, and the record in quotes, with
// \xHH for unprintable bytes.
std::string to_line(const RecordedFrame& frame);

// The frames of a recording; lines that begin with # are comments. Throws std::runtime_error naming the bad line.
std::vector<RecordedFrame> read_recording(const std::string& path);

// The frames of one side.
std::vector<RecordedFrame> frames_of(const std::vector<RecordedFrame>& recording, From from);

}  // namespace baton::versions
