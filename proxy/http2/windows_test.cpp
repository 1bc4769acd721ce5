// How the window of a stream grows, with a peer at the end of a path whose round trip takes its time.
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <variant>

#include "proxy/http2/testing/frames.hpp"
#include "proxy/state/codec.hpp"

namespace baton::http2 {
namespace {

constexpr std::int64_t initial = 256 * 1024;

// A client that uploads on its streams whatever the windows allow, as fast as its path takes it.
class LongPath {
 public:
  explicit LongPath(std::int64_t round_trip_ms, std::int64_t bytes_per_ms = 1 << 20)
      : one_way_ms_(round_trip_ms / 2), bytes_per_ms_(bytes_per_ms) {
    connection.terms.connection_window = 4 << 20;
    connection.frames.receive_window = connection_window_ = connection.terms.connection_window;
    connection.greet();
    connection.answers();
  }

  void open(std::uint32_t id) {
    connection.take(headers(id, post, whole));
    windows_[id] = initial;
  }
  // The request is whole; its response is still to come.
  void finish(std::uint32_t id) {
    windows_.erase(id);
    run(one_way_ms_ + 1);
    connection.take(frame(FrameType::data, flag_end_stream, id));
  }
  // What its server takes of it; by default all.
  std::function<void(std::uint32_t id, state::Flow& flow)> consume = [](std::uint32_t, state::Flow& flow) {
    flow.unread.clear();
  };

  void run(std::int64_t ms) {
    for (const std::int64_t end = connection.now_ms + ms; connection.now_ms < end; ++connection.now_ms) {
      take_news();
      send();
      bool has_come = false;
      for (; !to_us_.empty() && to_us_.front().first <= connection.now_ms; to_us_.pop_front()) {
        ASSERT_TRUE(connection.take(to_us_.front().second)) << connection.scratch.failure;
        answer();
        has_come = true;
      }
      if (!has_come) answer();
    }
  }

  // Another process takes the connection over, whose clock says something else.
  void move(std::int64_t clock_offset_ms) {
    state::ConnectionState state;
    state.client = std::exchange(connection.leg, {});
    auto& http2 = state.protocol.emplace<state::Boxed<state::Http2>>(state::Http2{});
    http2->frames = connection.frames;
    for (auto& [id, flow] : connection.flows) {
      state::ClientSide& side = http2->streams.emplace_back().emplace();
      side.client = std::move(flow);
      side.exchange.emplace().phase = state::Answering{};
    }
    auto moved = state::decode(state::encode(state), {}, clock_offset_ms);
    ASSERT_TRUE(moved);
    auto& adopted = std::get<state::ConnectionState>(*moved);
    connection.leg = std::move(adopted.client);
    connection.frames = adopted.http2()->frames;
    for (const auto& side : adopted.http2()->streams)
      connection.flows[side->client.stream->id] = std::move(side->client);
    connection.now_ms += clock_offset_ms;
    for (auto* const way : {&to_us_, &to_them_}) {
      for (auto& [at_ms, bytes] : *way) at_ms += clock_offset_ms;
    }
  }

  std::int64_t window(std::uint32_t id) { return std::max<std::int64_t>(connection.find(id)->stream->window, initial); }

  Connection connection;
  std::int64_t sent = 0;

 private:
  using Way = std::deque<std::pair<std::int64_t, std::string>>;  // what arrives when

  void take_news() {
    for (; !to_them_.empty() && to_them_.front().first <= connection.now_ms; to_them_.pop_front()) {
      std::string_view rest = to_them_.front().second;
      while (!rest.empty()) {
        const FrameHead head = read_frame_head(rest.data());
        ASSERT_EQ(head.type, FrameType::window_update);
        const std::int64_t by = read_number(rest.data() + frame_head_bytes);
        if (head.stream == 0) connection_window_ += by;
        if (const auto window = windows_.find(head.stream); window != windows_.end()) window->second += by;
        rest.remove_prefix(frame_head_bytes + head.bytes);
      }
    }
  }
  // A frame of each stream in turn.
  void send() {
    std::int64_t room = bytes_per_ms_;
    for (bool goes_on = true; goes_on;) {
      goes_on = false;
      for (auto& [id, window] : windows_) {
        const std::int64_t bytes = std::min({window, connection_window_, room, std::int64_t{frame_bytes_max}});
        if (bytes <= 0) continue;
        to_us_.emplace_back(connection.now_ms + one_way_ms_,
                            frame(FrameType::data, 0, id, std::string(static_cast<std::size_t>(bytes), 'x')));
        window -= bytes;
        connection_window_ -= bytes;
        room -= bytes;
        sent += bytes;
        goes_on = true;
      }
    }
  }
  void answer() {
    std::uint64_t held = 0;
    for (auto& [id, flow] : connection.flows) {
      consume(id, flow);
      return_credit(connection.frames, connection.leg, flow);
      held += flow.unread.size();
    }
    return_credit(connection.frames, connection.leg, held, connection.terms);
    if (connection.leg.unsent.empty()) return;
    to_them_.emplace_back(connection.now_ms + one_way_ms_, connection.leg.unsent.view());
    connection.leg.unsent.clear();
  }

  const std::int64_t one_way_ms_;
  const std::int64_t bytes_per_ms_;
  std::map<std::uint32_t, std::int64_t> windows_;  // as it knows them
  std::int64_t connection_window_ = 0;
  Way to_us_, to_them_;
};

TEST(GrowingWindows, GrowOnALongPathUpToHalfOfTheConnections) {
  LongPath path(100);
  path.open(1);
  path.run(60);
  EXPECT_EQ(path.window(1), initial);
  path.run(140);
  EXPECT_EQ(path.window(1), 2 * initial);
  path.run(1'000);
  EXPECT_EQ(path.window(1), 2 << 20);
  const std::int64_t before = path.sent;
  path.run(1'000);
  EXPECT_GE(path.sent - before, 9 * (2 << 20)) << "a window for each round trip";
}

TEST(GrowingWindows, AreOfBothRoles) {
  state::Frames frames;
  state::Flow leg;
  state::Flow flow;
  begin_as_client(frames, leg, {});
  begin_stream(frames, flow);
  flow.stream->wanted = 2 * initial;
  return_credit(frames, leg, flow);
  EXPECT_EQ(flow.stream->receive_window, 2 * initial);
}

TEST(GrowingWindows, DoNotGrowOnAShortPath) {
  for (const std::int64_t round_trip_ms : {0, 2}) {
    LongPath path(round_trip_ms);
    path.open(1);
    path.run(500);
    EXPECT_EQ(path.window(1), initial) << round_trip_ms;
    EXPECT_GT(path.sent, 50'000'000);
  }
}

TEST(GrowingWindows, DoNotGrowIfThePathIsNarrow) {
  LongPath path(100, 1'000);
  path.open(1);
  path.run(10'000);
  EXPECT_EQ(path.window(1), initial);
  EXPECT_GT(path.sent, 9'000'000);
}

// Some of these come up to the edge by chance, or rest a little before it.
TEST(GrowingWindows, DoNotGrowForAClientThatRests) {
  struct Burst {
    int frames;
    std::size_t bytes;  // of each
    std::int64_t rest_ms;
  };
  for (const Burst& burst : {Burst{2, 16'384, 100}, Burst{4, 16'384, 1'000}, Burst{3, 14'000, 400}}) {
    LongPath path(100, 0);
    path.open(1);
    std::string some;
    for (int i = 0; i < burst.frames; ++i) some += frame(FrameType::data, 0, 1, std::string(burst.bytes, 'x'));
    for (int i = 0; i < 200; ++i) {
      path.connection.take(some);
      path.run(burst.rest_ms);
    }
    EXPECT_EQ(path.window(1), initial) << burst.bytes;
  }
}

// Of a short path.
TEST(GrowingWindows, DoNotGrowForAServerThatRests) {
  LongPath path(2);
  path.open(1);
  path.consume = [](std::uint32_t, state::Flow&) {};
  for (int i = 0; i < 20; ++i) {
    path.run(300);
    path.connection.find(1)->unread.clear();
  }
  EXPECT_EQ(path.window(1), initial);
  EXPECT_GE(path.sent, 19 * initial);
}

TEST(GrowingWindows, DoNotGrowWhileTheServerStalls) {
  LongPath path(100);
  path.open(1);
  std::size_t room = initial / 2 + 1'000;  // and the request's head
  path.consume = [&](std::uint32_t, state::Flow& flow) {
    const std::size_t bytes = std::min(room, flow.unread.size());
    flow.unread.consume(bytes);
    room -= bytes;
  };
  path.run(2'000);
  EXPECT_EQ(path.window(1), initial);
  EXPECT_EQ(path.sent, initial + initial / 2);
  for (int i = 0; i < 500; ++i) {  // it takes some now and then
    room += 10'000;
    path.run(10);
  }
  EXPECT_EQ(path.window(1), initial);
}

// One that grows, and whose server then stalls, leaves the others their part of the connection's window.
TEST(GrowingWindows, OfStalledStreamsDoNotStopTheOthers) {
  LongPath path(100);
  for (const std::uint32_t id : {1u, 3u, 5u}) path.open(id);
  path.run(3'000);
  std::int64_t growth = 0;
  for (const std::uint32_t id : {1u, 3u, 5u}) growth += path.window(id) - initial;
  EXPECT_GT(growth, 1 << 20);
  EXPECT_LE(growth, 2 << 20);
  path.consume = [](std::uint32_t id, state::Flow& flow) {
    if (id > 5) flow.unread.clear();
  };
  path.run(1'000);
  path.open(7);
  const std::int64_t before = path.sent;
  path.run(2'000);
  EXPECT_GT(path.sent - before, 10 * initial);
}

TEST(GrowingWindows, MayGrowBesideAnUploadThatIsOver) {
  LongPath path(100);
  path.open(1);
  path.run(1'500);
  EXPECT_EQ(path.window(1), 2 << 20);
  path.finish(1);
  path.open(3);
  path.run(2'000);
  EXPECT_EQ(path.window(3), 2 << 20);
}

TEST(GrowingWindows, MoveInTheMiddleOfTheirGrowth) {
  for (std::int64_t at = 10; at < 400; at += 35) {
    const std::int64_t bytes_per_ms = at % 2 == 0 ? 1 << 20 : 20'000;
    LongPath path(100, bytes_per_ms), same(100, bytes_per_ms);
    path.open(1);
    same.open(1);
    for (int i = 0; i < 10; ++i) {
      path.run(at);
      same.run(at);
      path.move(i % 2 == 0 ? 123'456 : -4'000);
      ASSERT_EQ(path.window(1), same.window(1)) << at << ", " << i;
      ASSERT_EQ(path.sent, same.sent) << at << ", " << i;
    }
    path.run(1'000);
    EXPECT_GE(path.window(1), 1 << 20);
  }
}

// A process that knows no growth has granted nothing more meanwhile.
TEST(GrowingWindows, BeginAgainWhereTheirGrowthIsUnknown) {
  LongPath path(100);
  path.open(1);
  path.run(1'000);
  state::Stream& stream = *path.connection.find(1)->stream;
  stream.window = stream.wanted = stream.until_edge = 0;
  stream.edge_ms = 0;
  const std::int64_t before = path.sent;
  path.run(3'000);
  EXPECT_EQ(path.window(1), 2 << 20);
  EXPECT_GT(path.sent - before, 20 << 20);
}

}  // namespace
}  // namespace baton::http2
