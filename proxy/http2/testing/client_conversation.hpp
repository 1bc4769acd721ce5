// The client's end of an HTTP/2 connection, a carrier, without sockets or clients, for tests and the fuzz target: it
// sends requests, takes the responses, and can move to another process at any byte.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "proxy/http2/frame_format.hpp"
#include "proxy/http2/hpack_encoder.hpp"
#include "proxy/http2/testing/movable.hpp"

namespace baton::http2 {

class ClientConversation final : public Movable {
 public:
  static constexpr std::size_t streams_max = 8;

  // Its requests come from a client's connection of HTTP/2, since a connection with many exchanges is one.
  ClientConversation() {
    state_.protocol.emplace<state::Boxed<state::Http2>>(state::Http2{});
    state::UpstreamLeg& carrier = *state_.carriers.emplace().emplace_back(state::UpstreamLeg{});
    carrier.carrier = 1;
    carrier.frames.emplace();
    begin_as_client(*carrier.frames, carrier, terms);
    flush();
  }

  // As many bytes of content, which come after the head. Nothing happens if the server takes no more.
  void ask(std::size_t content = 0, bool is_head = false) {
    const state::Frames& frames = *carrier().frames;
    const std::size_t most = std::min<std::size_t>(streams_max, frames.peer_streams_max);
    if (frames.has_failed || frames.goaway_came || count() >= most) return;
    state::ClientSide& side = *streams().emplace_back(state::ClientSide{});
    state::Frames& of_client = state_.http2()->frames;
    of_client.last_stream += of_client.last_stream == 0 ? 1 : 2;
    side.client.stream.emplace().id = of_client.last_stream;
    side.exchange.emplace().phase = state::Relaying{};
    state::UpstreamLeg& leg = side.exchange->upstream.emplace();
    leg.carrier = 1;
    begin_stream(frames, leg);
    leg.stream->is_head_request = is_head;
    state::Buffer block;
    append_field(block, ":method", is_head ? "HEAD" : content == 0 ? "GET" : "POST");
    append_field(block, ":path", "/");
    append_number(leg.stream->heads, number_of({static_cast<std::uint32_t>(block.size()), content == 0}));
    leg.stream->heads.append(block.view());
    leg.unsent.append(std::string(content, 'x'));
    leg.write_ended = true;
    leg.stream->end_sent = content == 0;
    carry_on();
  }

  // The responses, in the order of their ends.
  const std::string& got() const { return got_; }
  std::size_t bytes_held() const {
    std::size_t bytes = carrier().unread.size() + carrier().frames->block.size();
    for (const auto& side : streams()) bytes += side->upstream()->unread.size();
    return bytes;
  }

 private:
  state::Leg& leg() override { return carrier(); }
  state::Frames& frames() override { return *carrier().frames; }
  state::UpstreamLeg& carrier() const { return *state_.carriers->front(); }
  decltype(state::Http2::streams)& streams() const { return state_.http2()->streams; }

  std::size_t count() const override { return streams().size(); }
  state::Flow* find(std::uint32_t id) override {
    const auto found =
        std::ranges::find_if(streams(), [id](const auto& one) { return one->upstream()->stream->id == id; });
    return found != streams().end() ? (*found)->upstream() : nullptr;
  }
  state::Flow& begin(std::uint32_t) override {
    require(false, "a server has begun a stream");
    std::abort();
  }
  void each(void (*visit)(state::Flow& flow, void* with), void* with) override {
    for (const auto& one : streams()) visit(*one->upstream(), with);
  }

  // Sends what it can, and takes each response that has ended.
  void carry_on() override {
    state::UpstreamLeg& leg = carrier();
    state::Frames& frames = *leg.frames;
    std::uint64_t held = 0;
    std::erase_if(streams(), [&](const auto& one) {
      state::Flow& flow = *one->upstream();
      while (!flow.was_reset && seal(frames, leg, flow, terms)) {
      }
      if (flow.was_reset || flow.read_ended) {
        got_ += flow.was_reset ? "reset" : flow.unread.view();
        if (flow.stream->trailers_in) got_ += flow.stream->trailers_in->view();
        if (!flow.was_reset && flow.stream->end_sent) note_ended(frames, flow.stream->id);
        if (!flow.was_reset && !flow.stream->end_sent) reset(frames, leg, flow, Error::no_error);
        return true;
      }
      return_credit(frames, leg, flow);
      held += flow.unread.size();
      return false;
    });
    return_credit(frames, leg, held, terms);
  }

  std::string got_;
};

}  // namespace baton::http2
