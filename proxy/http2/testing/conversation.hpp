// A connection of HTTP/2 without sockets or servers, for tests and the fuzz target: it answers each request with its
// own content, and can move to another process at any byte.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "proxy/http2/frame_format.hpp"
#include "proxy/http2/hpack_encoder.hpp"
#include "proxy/http2/testing/movable.hpp"

namespace baton::http2 {

class Conversation final : public Movable {
 public:
  Conversation() {
    state_.protocol.emplace<state::Boxed<state::Http2>>(state::Http2{});
    http2::begin(frames(), leg(), terms);
  }

  // More than a connection may hold.
  std::size_t bytes_held() const {
    std::size_t bytes = state_.client.unread.size() + state_.http2()->frames.block.size();
    for (const auto& side : state_.http2()->streams) bytes += side->client.unread.size() + side->client.unsent.size();
    return bytes;
  }

 private:
  state::Leg& leg() override { return state_.client; }
  state::Frames& frames() override { return state_.http2()->frames; }
  auto& streams() { return state_.http2()->streams; }

  std::size_t count() const override { return state_.http2()->streams.size(); }
  state::Flow* find(std::uint32_t id) override {
    const auto found = std::ranges::find_if(streams(), [id](const auto& one) { return one->client.stream->id == id; });
    return found != streams().end() ? &(*found)->client : nullptr;
  }
  state::Flow& begin(std::uint32_t id) override {
    state::Flow& flow = streams().emplace_back().emplace().client;
    flow.stream.emplace().id = id;
    return flow;
  }
  void each(void (*visit)(state::Flow& flow, void* with), void* with) override {
    for (const auto& one : streams()) visit(one->client, with);
  }

  void carry_on() override {
    std::uint64_t held = 0;
    for (const auto& one : streams()) {
      state::Flow& flow = one->client;
      if (flow.read_ended && !flow.was_reset && !flow.write_ended) {
        state::Buffer block;
        append_status(block, 200);
        append_number(flow.stream->heads, number_of({static_cast<std::uint32_t>(block.size()), false}));
        flow.stream->heads.append(block.view());
        one->exchange.emplace().phase = state::Answering{};
        flow.unread.move_to(flow.unsent, flow.unread.size());
        if (flow.stream->trailers_in) flow.unsent.append(flow.stream->trailers_in->view());
        flow.write_ended = true;
      }
      while (!flow.was_reset && seal(frames(), state_.client, flow, terms)) {
      }
      held += flow.unread.size();
      return_credit(frames(), state_.client, flow);
    }
    return_credit(frames(), state_.client, held, terms);
    std::erase_if(streams(), [this](const auto& one) {
      const state::Flow& flow = one->client;
      const bool is_over = flow.was_reset || (flow.read_ended && flow.write_ended && flow.all_sent());
      if (is_over && !flow.was_reset) note_ended(frames(), flow.stream->id);
      return is_over;
    });
  }
};

}  // namespace baton::http2
