// A connection of HTTP/2 without sockets or servers, for tests and the fuzz target: it answers each request with its
// own content, and can move to another process at any byte.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/http2/frame_format.hpp"
#include "proxy/http2/frames.hpp"
#include "proxy/http2/hpack_encoder.hpp"
#include "proxy/state/codec.hpp"

namespace baton::http2 {

class Conversation final : private Streams {
 public:
  Conversation() {
    state_.protocol.emplace<state::Boxed<state::Http2>>(state::Http2{});
    http2::begin(frames(), state_.client, terms);
  }

  // False: the connection has failed.
  bool take(std::string_view bytes) {
    if (frames().has_failed) return false;
    state_.client.unread.append(bytes);
    const bool goes_on = open(frames(), state_.client, *this, terms, now_ms, floods_, scratch);
    if (goes_on) answer();
    sent_ += state_.client.unsent.view();
    state_.client.unsent.clear();
    return goes_on;
  }

  // As another process adopts it.
  void move() {
    const auto moved = state::decode(state::encode(state_), state::encode_secrets(state_).view(), 0);
    require(moved.has_value(), "its state is refused");
    require(std::get<state::ConnectionState>(*moved) == state_, "its state is not the same once decoded");
    state_ = std::get<state::ConnectionState>(*moved);
  }

  // Everything that has been sent.
  const std::string& sent() const { return sent_; }
  const state::ConnectionState& state() const { return state_; }
  // More than a connection may hold.
  std::size_t bytes_held() const {
    std::size_t bytes = state_.client.unread.size() + state_.http2()->frames.block.size();
    for (const auto& side : state_.http2()->streams) bytes += side->client.unread.size() + side->client.unsent.size();
    return bytes;
  }

  Terms terms;
  std::int64_t now_ms = 1'000;
  Scratch scratch;

 private:
  static void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
  }

  state::Frames& frames() { return state_.http2()->frames; }
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
  void note_touched(state::Flow&) override {}
  void each(void (*visit)(state::Flow& flow, void* with), void* with) override {
    for (const auto& one : streams()) visit(one->client, with);
  }

  void answer() {
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

  state::ConnectionState state_;
  Floods floods_;
  std::string sent_;
};

}  // namespace baton::http2
