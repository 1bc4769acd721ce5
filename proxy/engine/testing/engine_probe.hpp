// Runs a state that came from outside through everything the engine does with one, for tests and the fuzz target:
// nothing may crash, hang, or produce an inconsistent state.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <variant>

#include "proxy/engine/engine.hpp"
#include "proxy/state/codec.hpp"

namespace baton::engine {

class EngineProbe {
 public:
  explicit EngineProbe(const state::ConnectionState& state) : original_(state) {}

  void run() {
    check_round_trip(original_);
    // Nor does it see one that is arriving.
    if (std::holds_alternative<state::Arriving>(original_.protocol)) return;
    if (original_.http2() != nullptr) return run_streams();
    // The engine does not see a connection before its ClientHello is complete.
    if (original_.client.tls && original_.client.tls->stage == state::TlsStage::hello) return;
    static constexpr std::string_view inputs[] = {
        "", "0\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        "5\r\nhello\r\n0\r\nA: 1\r\n\r\n", "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"};
    for (const std::string_view from_client : inputs) {
      for (const std::string_view from_upstream : inputs) {
        play(from_client, from_upstream, Then::nothing);
        play(from_client, from_upstream, Then::both_end);
        play(from_client, from_upstream, Then::upstream_is_lost);
        play(from_client, from_upstream, Then::time_is_over);
      }
    }
  }

 private:
  enum class Then { nothing, both_end, upstream_is_lost, time_is_over };

  // Discards what the kernel would have taken.
  static void flush(state::Flow& leg) {
    leg.unsent.clear();
    if (leg.stream) leg.stream->heads.clear();
    if (leg.stream && leg.write_ended) leg.stream->end_sent = true;
    if (!leg.tls) return;
    leg.tls->sealed.clear();
    if (leg.write_ended) leg.tls->end = state::TlsEnd::shut;
  }

  static void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
  }

  static void check_round_trip(const state::ConnectionState& state) {
    const auto again = state::decode(state::encode(state), state::encode_secrets(state).view(), 0);
    require(again && std::get<state::ConnectionState>(*again) == state, "a state is not the same once decoded");
  }

  Context context() {
    return {.rules = &rules_, .scratch = scratch_, .client_address = "192.0.2.1", .now_ms = 1000, .servers = 2};
  }

  void play(std::string_view from_client, std::string_view from_upstream, Then then) {
    scratch_ = {};
    state_ = original_;
    over_ = false;
    settle();
    if (over_) return;
    pass_unseen();
    settle();
    if (over_) return;
    if (wanted_from_client(state_, rules_) != 0) state_.client.unread.append(from_client);
    if (wanted_from_upstream(state_, rules_) != 0) state_.upstream()->unread.append(from_upstream);
    settle();
    if (over_) return;
    if (then == Then::both_end) {
      state_.client.read_ended = true;
      if (state_.upstream() != nullptr) state_.upstream()->read_ended = true;
    }
    if (then == Then::upstream_is_lost && state_.upstream() != nullptr) {
      upstream_write_failed(state_);
      settle();
      if (over_ || state_.upstream() == nullptr) return;
      obey(upstream_lost(state_, Loss::reset, context()));
    }
    if (then == Then::time_is_over && deadline_ms(state_, rules_) != INT64_MAX) obey(expire(state_, context()));
    settle();
  }

  // As much as a pipe would pass, if anything may.
  void pass_unseen() {
    constexpr std::uint64_t most = 100;
    if (const auto bytes = std::min(unseen_download(state_), most)) note_unseen_download(state_, bytes, 1000);
    if (const auto bytes = std::min(unseen_upload(state_), most)) note_unseen_upload(state_, bytes, 1000);
  }

  // Each stream by itself: nothing but its connection's frames depends on others.
  void run_streams() {
    static constexpr std::string_view inputs[] = {
        "", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "5\r\nhello\r\n0\r\nA: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: 1\r\n\r\n",
        "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"};
    for (const auto& stream : original_.http2()->streams) {
      for (const std::string_view from_upstream : inputs) {
        for (const Then then : {Then::nothing, Then::both_end, Then::upstream_is_lost, Then::time_is_over}) {
          play_stream(*stream, from_upstream, then);
        }
      }
    }
  }

  void play_stream(const state::ClientSide& original, std::string_view from_upstream, Then then) {
    scratch_ = {};
    state::ClientSide side = original;
    over_ = false;
    settle(side);
    if (over_) return;
    if (wanted_from_upstream(side, rules_) != 0) side.upstream()->unread.append(from_upstream);
    if (!side.client.read_ended) side.client.unread.append("content");
    settle(side);
    if (over_) return;
    if (then == Then::both_end) {
      side.client.read_ended = true;
      if (side.upstream() != nullptr) side.upstream()->read_ended = true;
    }
    if (then == Then::upstream_is_lost && side.upstream() != nullptr) {
      upstream_write_failed(side);
      settle(side);
      if (over_ || side.upstream() == nullptr) return;
      obey(side, upstream_lost(side, Loss::reset, context()));
    }
    if (then == Then::time_is_over && stream_deadline_ms(side, rules_) != INT64_MAX) {
      obey(side, expire_stream(side, context()));
    }
    settle(side);
  }

  void settle(state::ClientSide& side) {
    for (int pass = 0; !over_; ++pass) {
      require(pass < 1000, "the engine does not come to rest");
      flush(side.client);
      if (side.upstream() != nullptr) flush(*side.upstream());
      scratch_.parsed_for = nullptr;
      const Action action = advance_stream(side, context());
      obey(side, action);
      if (over_) return;
      const bool sent = side.client.unsent.empty() && side.client.stream->heads.empty() &&
                        (side.upstream() == nullptr || side.upstream()->unsent.empty());
      if (action == Action::wait && sent) return;
    }
  }

  void obey(state::ClientSide& side, Action action) {
    if (action == Action::connect) {
      side.exchange->upstream.emplace();
      obey(side, advance_stream(side, context()));
    } else if (action == Action::park || action == Action::close_upstream || action == Action::cut_upstream) {
      side.exchange->upstream.reset();
    } else if (action == Action::end_client_writing) {
      side.client.write_ended = true;
    } else if (action == Action::end_upstream_writing) {
      side.upstream()->write_ended = true;
    } else if (action != Action::wait && action != Action::authenticate) {
      over_ = true;
    }
  }

  void settle() {
    for (int pass = 0; !over_; ++pass) {
      require(pass < 1000, "the engine does not come to rest");
      flush(state_.client);
      if (state_.upstream() != nullptr) flush(*state_.upstream());
      scratch_.parsed_for = nullptr;
      const Action action = advance(state_, context()).action;
      obey(action);
      if (over_) return;
      check_round_trip(state_);
      check_rest();
      const bool sent = state_.client.unsent.empty() && (state_.upstream() == nullptr || state_.upstream()->unsent.empty());
      if (action == Action::wait && sent) return;
    }
  }

  void check_rest() {
    if (!waits_for_bytes(state_)) return;
    const state::ConnectionState before = state_;
    require(advance(state_, context()).action == Action::wait && state_ == before,
            "the engine does more although it waits for bytes");
  }

  void obey(Action action) {
    if (action == Action::connect) {
      state_.exchange->upstream.emplace();
      obey(advance(state_, context()).action);
    } else if (action == Action::park || action == Action::close_upstream || action == Action::cut_upstream) {
      state_.exchange->upstream.reset();
    } else if (action == Action::exchange_ended || action == Action::exchange_ended_early) {
      require(state_.upstream() == nullptr, "an exchange has ended and keeps its upstream leg");
      state_.exchange.reset();
    } else if (action == Action::end_client_writing) {
      state_.client.write_ended = true;
    } else if (action == Action::end_upstream_writing) {
      state_.upstream()->write_ended = true;
    } else if (action == Action::close || action == Action::reset) {
      over_ = true;
    }
  }

  const state::ConnectionState& original_;
  const Rules rules_{.head_bytes = 1024, .body_bytes = 100'000, .buffer_bytes = 4096};
  http1::Scratch scratch_;
  state::ConnectionState state_;
  bool over_ = false;
};

}  // namespace baton::engine
