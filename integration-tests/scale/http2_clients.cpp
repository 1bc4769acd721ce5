#include "scale/http2_clients.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "clients/dialogue.hpp"
#include "clients/grpc.hpp"
#include "clients/http2_judges.hpp"
#include "harness/client.hpp"
#include "scale/loop.hpp"
#include "scale/scale_client.hpp"
#include "scale/turns.hpp"

namespace baton::harness {

namespace {

constexpr std::uint32_t window_bytes = 20;
constexpr std::uint32_t last_window_bytes = 65'535;
constexpr std::size_t piece_bytes = 100;
constexpr std::uint64_t bytes_to_move = 60;

class Http2Peer final : public ScaleClient {
 public:
  Http2Peer(Board& board, std::uint32_t id, const Http2Streams& streams) : ScaleClient(board.http_port, board, id) {
    for (std::size_t i = 0; i < streams.all(); ++i) begin(i, streams);
    flush();
  }

  void move_bytes() override {
    for (Stream& one : streams_) {
      one.wanted = one.judge->body_bytes() + (one.kind == Kind::answer ? 1 : bytes_to_move);
      if (one.kind == Kind::answer) session_.read_on(one.id);
    }
    flush();
  }

  // WebSockets get all of their echoes back, gRPC also its end; the origin ends the events.
  void finish() override {
    is_finishing_ = true;
    session_.set_stream_window(last_window_bytes);
    for (Stream& one : streams_) {
      one.wanted = one.kind == Kind::websocket ? one.said : UINT64_MAX;
      if (one.kind == Kind::answer) session_.read_on(one.id);
      if (one.kind == Kind::grpc) session_.send(one.id, {}, true);
    }
    flush();
  }

  // A WebSocket or gRPC sends one more piece when the last one has come back.
  void talk() {
    if (is_finishing_ || has_ended()) return;
    for (Stream& one : streams_) {
      if (one.kind == Kind::grpc && one.echo->all_returned()) session_.send(one.id, one.echo->say());
      if (one.kind != Kind::websocket || !one.judge->has_head() || one.judge->body_bytes() < one.said) continue;
      session_.send(one.id, one.content.at(one.said, piece_bytes));
      one.said += piece_bytes;
    }
    flush();
  }

 private:
  // Every stream has received what it was to receive.
  bool has_what_it_wants() const override {
    return std::ranges::all_of(
        streams_, [](const Stream& one) { return one.judge->has_ended() || one.judge->body_bytes() >= one.wanted; });
  }

  enum class Kind { events, websocket, grpc, answer };
  struct Stream {
    Kind kind;
    std::int32_t id;
    std::shared_ptr<clients::Http2ResponseJudge> judge;
    clients::Content content;
    std::shared_ptr<clients::GrpcEchoJudge> echo = nullptr;  // of gRPC
    std::uint64_t said = 0;    // by a WebSocket
    std::uint64_t wanted = 1;  // bytes of its body; that it has ended is as good
    bool is_counted = false;
  };

  void begin(std::size_t number, const Http2Streams& streams) {
    const unsigned unique = id_ * static_cast<unsigned>(streams.all()) + static_cast<unsigned>(number);
    if (number >= streams.all() - streams.grpc) return begin_grpc(unique);
    if (number < streams.events) {
      const std::string target = std::string(clients::events_prefix) + std::to_string(unique);
      add(Kind::events, target, std::make_shared<clients::Http2EventsJudge>(target));
    } else if (number < streams.events + streams.websockets) {
      const std::string target = std::string(clients::websocket_prefix) + std::to_string(unique);
      add(Kind::websocket, target, std::make_shared<clients::Http2DownloadJudge>(target));
    } else {
      // Each line of the answer names the target, so even one line outlasts the windows of several upgrades.
      const std::string target = clients::request_target(id_, number) + std::string(3 * window_bytes, '/');
      add(Kind::answer, target,
          std::make_shared<clients::Http2AnswerJudge>(target, [target] { return clients::expected_body(target); }));
    }
  }

  void begin_grpc(unsigned unique) {
    const std::string target = std::string(clients::grpc_prefix) + std::to_string(unique);
    const auto echo = std::make_shared<clients::GrpcEchoJudge>(target);
    const std::int32_t id = session_.begin(
        {.target = target, .host = "scale", .method = "POST", .has_body = true, .fields = clients::grpc_request_fields},
        echo);
    session_.send(id, echo->say());
    streams_.push_back({Kind::grpc, id, echo, clients::Content(target), echo});
  }

  void add(Kind kind, const std::string& target, std::shared_ptr<clients::Http2ResponseJudge> judge) {
    const clients::Http2Request request{
        .target = target, .host = "scale", .is_held = kind == Kind::answer, .is_websocket = kind == Kind::websocket};
    streams_.push_back({kind, session_.begin(request, judge), judge, clients::Content(target)});
    if (kind != Kind::websocket) return;
    Stream& one = streams_.back();
    session_.send(one.id, one.content.at(0, piece_bytes));
    one.said = piece_bytes;
  }

  void on_bytes(std::string_view bytes) override {
    if (const std::string wrong = session_.receive(bytes); !wrong.empty()) return lose(wrong);
    for (Stream& one : streams_) {
      if (one.judge->has_ended() && one.kind == Kind::answer && !std::exchange(one.is_counted, true)) {
        ++board_.idle_answers;
      }
      if (one.judge->has_ended() && board_.task != Task::finish)
        return lose("a stream ended early: " + one.judge->target());
      if (is_finishing_ && one.kind == Kind::answer) session_.read_on(one.id);
    }
    flush();
  }

  void flush() {
    if (const std::string bytes = session_.take_unsent(); !bytes.empty()) send(bytes);
  }

  clients::Http2Session session_{window_bytes};
  std::vector<Stream> streams_;
  bool is_finishing_ = false;
};

class Http2Clients {
 public:
  Http2Clients(Board& board, std::size_t connections, const Http2Streams& streams)
      : board_(board), connections_(connections), streams_(streams) {}

  void run() {
    while (board_.task != Task::leave) {
      loop_.run_once();
      talkers_.tick([](Http2Peer& peer) { peer.talk(); });
      if (board_.orders != board_.carried_out) carry_on();
    }
  }

 private:
  void carry_on() {
    if (!std::exchange(under_way_, true) && board_.task != Task::open) {
      for (Http2Peer* peer : all_) board_.task == Task::finish ? peer->finish() : peer->move_bytes();
      unsettled_ = all_;
    }
    std::erase_if(unsettled_, [](const Http2Peer* peer) { return peer->is_settled(); });
    while (board_.task == Task::open && all_.size() < connections_ && unsettled_.size() < at_once_max) open();
    if (!unsettled_.empty()) return;
    under_way_ = false;
    ++board_.carried_out;
  }

  void open() {
    const auto id = static_cast<std::uint32_t>(all_.size());
    Http2Peer& peer = loop_.add(std::make_unique<Http2Peer>(board_, id, streams_));
    all_.push_back(&peer);
    unsettled_.push_back(&peer);
    talkers_.add(peer);
  }

  Board& board_;
  const std::size_t connections_;
  const Http2Streams streams_;
  Loop loop_;
  std::vector<Http2Peer*> all_;
  Turns<Http2Peer> talkers_;
  std::vector<Http2Peer*> unsettled_;
  bool under_way_ = false;
};

}  // namespace

void run_http2_clients(Board& board, std::size_t connections, const Http2Streams& streams) {
  Http2Clients(board, connections, streams).run();
}

}  // namespace baton::harness
