// Frames as a client writes them, and a connection that takes them, for tests.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/http2/frame_format.hpp"
#include "proxy/http2/frames.hpp"
#include "proxy/http2/hpack_encoder.hpp"

namespace baton::http2 {

struct Frame {
  FrameHead head;
  std::string payload;
};

inline std::string frame(FrameType type, std::uint8_t flags, std::uint32_t stream, std::string_view payload = {}) {
  state::Buffer out;
  append_frame_head(out, {static_cast<std::uint32_t>(payload.size()), type, flags, stream});
  out.append(payload);
  return std::string(out.view());
}

inline std::string number(std::uint32_t value) {
  const auto bytes = bytes_of(value);
  return {bytes.data(), bytes.size()};
}

inline std::string setting(std::uint16_t id, std::uint32_t value) {
  return std::string{static_cast<char>(id >> 8), static_cast<char>(id)} + number(value);
}

using List = std::vector<std::pair<std::string, std::string>>;

inline std::string block(const List& list) {
  state::Buffer out;
  for (const auto& [name, value] : list) append_field(out, name, value);
  return std::string(out.view());
}

inline const List get{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};
inline const List post{{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};

inline constexpr std::uint8_t whole = flag_end_headers;
inline constexpr std::uint8_t last = flag_end_headers | flag_end_stream;

inline std::string headers(std::uint32_t stream, const List& list, std::uint8_t flags = last) {
  return frame(FrameType::headers, flags, stream, block(list));
}

// The list with another field, or without it.
inline List with(List list, const std::string& name, const std::string& value) {
  list.emplace_back(name, value);
  return list;
}
inline List without(List list, const std::string& name) {
  std::erase_if(list, [&](const auto& field) { return field.first == name; });
  return list;
}

// A request whose body is still to come.
inline const std::string opened = headers(1, post, whole);

// A connection, and its streams as a worker keeps them.
class Connection final : public Streams {
 public:
  Connection() {
    begin(frames, leg, terms);
    answers();
  }

  std::size_t count() const override { return flows.size(); }
  state::Flow* find(std::uint32_t id) override {
    const auto found = flows.find(id);
    return found != flows.end() ? &found->second : nullptr;
  }
  state::Flow& begin(std::uint32_t id) override {
    state::Flow& flow = flows[id];
    flow.stream.emplace();
    return flow;
  }
  void note_touched(state::Flow& flow) override { touched.push_back(flow.stream->id); }
  void each(void (*visit)(state::Flow& flow, void* with), void* with) override {
    for (auto& [id, flow] : flows) visit(flow, with);
  }
  using Streams::begin;
  static void begin(state::Frames& frames, state::Flow& leg, const Terms& terms) { http2::begin(frames, leg, terms); }

  bool take(std::string_view bytes) {
    leg.unread.append(bytes);
    return open(frames, leg, *this, terms, now_ms, floods, scratch);
  }
  bool greet() { return take(std::string(preface) + frame(FrameType::settings, 0, 0)); }
  // What has been written since.
  std::vector<Frame> answers() {
    std::vector<Frame> all;
    std::string_view rest = leg.unsent.view();
    while (rest.size() >= frame_head_bytes) {
      const FrameHead head = read_frame_head(rest.data());
      all.push_back({head, std::string(rest.substr(frame_head_bytes, head.bytes))});
      rest.remove_prefix(frame_head_bytes + head.bytes);
    }
    EXPECT_EQ(rest, "");
    leg.unsent.clear();
    return all;
  }
  // "GOAWAY 1", "RST 3 7": the errors among the answers.
  std::vector<std::string> errors() {
    std::vector<std::string> all;
    for (const Frame& one : answers()) {
      if (one.head.type == FrameType::goaway) {
        all.push_back("GOAWAY " + std::to_string(read_number(one.payload.data() + 4)));
      } else if (one.head.type == FrameType::rst_stream) {
        all.push_back("RST " + std::to_string(one.head.stream) + " " + std::to_string(read_number(one.payload.data())));
      }
    }
    return all;
  }
  // The stream is over on our side.
  void end(std::uint32_t id) {
    note_ended(frames, id);
    flows.erase(id);
  }

  state::Frames frames;
  state::Flow leg;
  Terms terms;
  std::int64_t now_ms = 1'000;
  Floods floods;
  Scratch scratch;
  std::map<std::uint32_t, state::Flow> flows;
  std::vector<std::uint32_t> touched;
};

}  // namespace baton::http2
