#include "scale/http2_habit.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>

#include "clients/grpc.hpp"
#include "clients/http2_judges.hpp"

namespace baton::harness::habits {

namespace {

constexpr std::size_t streams_max = 8;
constexpr std::size_t small_bytes_max = 5'000;
constexpr std::size_t much_bytes_max = 150'000;
constexpr const char* stream_events_target = "/events";

// The bytes that were said on the stream, in their order.
class EchoJudge final : public clients::Http2ResponseJudge {
 public:
  EchoJudge() : Http2ResponseJudge("/websocket") {}
  void expect(std::string_view said) { awaited_ += said; }

 private:
  std::string take(std::string_view bytes) override {
    if (!awaited_.starts_with(bytes)) return "an echo of something else";
    awaited_.erase(0, bytes.size());
    return {};
  }
  std::string end() override { return awaited_.empty() ? "" : "the end before the whole echo"; }

  std::string awaited_;
};

// A connection whose bytes are sent cut anywhere.
class OverHttp2 {
 public:
  OverHttp2(Life& life, Client& client) : life_(life), client_(client) {}

 protected:
  // Sends what is to be sent, and takes what has come, at least a byte.
  void exchange() {
    send_in_pieces(session_.take_unsent());
    std::string bytes = client_.read_exactly(1);
    bytes += client_.read_available();
    if (const std::string wrong = session_.receive(bytes); !wrong.empty()) throw Failure(wrong);
    if (!std::exchange(is_established_, true)) life_.note_established();
  }

  Life& life_;
  clients::Http2Session session_;

 private:
  void send_in_pieces(std::string_view wire) {
    while (!wire.empty()) {
      const std::size_t size = std::min(wire.size(), 1 + life_.any(life_.one_in(3) ? 40 : wire.size()));
      client_.send(wire.substr(0, size));
      wire.remove_prefix(size);
      if (life_.one_in(12)) life_.linger_at_most(8);
    }
  }

  Client& client_;
  bool is_established_ = false;
};

class ManyStreams : OverHttp2 {
 public:
  ManyStreams(Life& life, Client& client, std::string host) : OverHttp2(life, client), host_(std::move(host)) {}

  void live() {
    const auto events = std::make_shared<clients::Http2EventsJudge>(stream_events_target);
    begin({.target = stream_events_target, .host = host_}, Kind::events, events);
    while (life_.course().goes_on()) {
      if (streams_.size() < streams_max) begin_any();
      act_on(streams_[life_.any(streams_.size())]);
      exchange_and_count();
      life_.linger_at_most(8);
    }
    for (Stream& stream : streams_) end(stream);
    while (session_.open_streams() != 0) {
      for (Stream& stream : streams_) session_.read_on(stream.id);
      exchange_and_count();
    }
    if (!events->has_ended()) throw Failure("no end of the events");
  }

 private:
  enum class Kind { answer, upload, stalled, websocket, events };
  struct Stream {
    Kind kind;
    std::int32_t id = 0;
    std::shared_ptr<clients::Http2ResponseJudge> judge;
    std::shared_ptr<EchoJudge> echo = nullptr;  // of a WebSocket
    std::string unsent = {};                    // of an upload
    bool has_said_all = false;
    std::uint64_t proven_bytes = 0;
  };

  std::size_t any_size() { return life_.any(life_.one_in(6) ? much_bytes_max : small_bytes_max); }

  void begin_any() {
    const std::size_t bytes = any_size();
    switch (life_.any(5)) {
      case 0:
      case 1:
        return begin_answer(bytes, Kind::answer);
      case 2:
        return begin_answer(bytes, Kind::stalled);
      case 3:
        return begin_upload(bytes);
      default:
        return begin_websocket();
    }
  }

  Stream& begin(const clients::Http2Request& request, Kind kind, std::shared_ptr<clients::Http2ResponseJudge> judge) {
    return streams_.emplace_back(Stream{.kind = kind, .id = session_.begin(request, judge), .judge = judge});
  }

  void begin_answer(std::size_t bytes, Kind kind) {
    const std::string target = (life_.one_in(2) ? "/bytes/" : "/chunked/") + std::to_string(bytes);
    begin({.target = target, .host = host_, .is_held = kind == Kind::stalled}, kind,
          std::make_shared<clients::Http2AnswerJudge>(target, [bytes] { return pattern(bytes); }));
  }

  void begin_upload(std::size_t bytes) {
    Stream& upload = begin(
        {.target = "/count", .host = host_, .method = "POST", .has_body = true}, Kind::upload,
        std::make_shared<clients::Http2AnswerJudge>("/count", [bytes] { return std::to_string(bytes) + " as sent"; }));
    upload.unsent = pattern(bytes);
  }

  void begin_websocket() {
    const auto echo = std::make_shared<EchoJudge>();
    begin({.target = "/websocket", .host = host_, .is_websocket = true}, Kind::websocket, echo).echo = echo;
  }

  void act_on(Stream& stream) {
    if (stream.kind != Kind::events && life_.one_in(40)) return session_.cancel(stream.id);
    switch (stream.kind) {
      case Kind::upload:
        return say(stream, stream.unsent.substr(0, 1 + life_.any(60'000)));
      case Kind::stalled:
        return session_.read_on(stream.id);
      case Kind::websocket:
        if (life_.one_in(10)) return end(stream);
        return say(stream, pattern(1 + life_.any(3'000)));
      case Kind::answer:
      case Kind::events:
        return;
    }
  }

  void say(Stream& stream, const std::string& bytes) {
    if (stream.has_said_all) return;
    if (stream.echo != nullptr) stream.echo->expect(bytes);
    if (stream.kind == Kind::upload) {
      stream.unsent.erase(0, bytes.size());
      stream.has_said_all = stream.unsent.empty();
    }
    session_.send(stream.id, bytes, stream.has_said_all);
  }

  void end(Stream& stream) {
    if (stream.kind == Kind::upload) say(stream, std::string(stream.unsent));
    if (stream.kind == Kind::websocket && !std::exchange(stream.has_said_all, true)) session_.send(stream.id, {}, true);
  }

  // Something always comes: events.
  void exchange_and_count() {
    exchange();
    for (Stream& stream : streams_) count(stream);
    std::erase_if(streams_, [this](const Stream& stream) { return !session_.is_open(stream.id); });
  }

  // An ended answer, or more of what never ends by itself, is a proof.
  void count(Stream& stream) {
    const bool lasts = stream.kind == Kind::events || stream.kind == Kind::websocket;
    const std::uint64_t bytes = stream.judge->body_bytes();
    if (lasts ? bytes != stream.proven_bytes : stream.judge->has_ended()) ++life_.course().proofs;
    stream.proven_bytes = bytes;
  }

  const std::string host_;
  std::vector<Stream> streams_;
};

class GrpcTalk : OverHttp2 {
 public:
  using OverHttp2::OverHttp2;

  void live() {
    do {
      talk("/grpc/" + std::to_string(life_.any(1'000'000)));
    } while (life_.course().goes_on());
  }

 private:
  void talk(const std::string& target) {
    const auto echo = std::make_shared<clients::GrpcEchoJudge>(target);
    const std::int32_t stream = session_.begin(
        {.target = target, .host = "a", .method = "POST", .has_body = true, .fields = clients::grpc_request_fields},
        echo);
    do {
      for (std::size_t messages = 1 + life_.any(5); messages != 0; --messages) session_.send(stream, echo->say());
      while (!echo->all_returned()) exchange();
      life_.course().proofs += echo->collect();
      life_.linger_at_most(20);
    } while (life_.course().goes_on() && !life_.one_in(60));
    session_.send(stream, {}, true);
    while (session_.open_streams() != 0) exchange();
    if (!echo->has_ended()) throw Failure("no end of the echo");
  }
};

template <class Live>
Habit over_http2(std::optional<TlsOptions> options, Live live) {
  return [options = std::move(options), live = std::move(live)](Life& life) {
    if (options) {
      TlsClient client = life.connect(*options);
      client.wait_at_most(life.course().patience());
      client.shake_hands();
      if (client.alpn() != "h2") throw Failure("h2 was not agreed on");
      live(life, client);
    } else {
      Client client = life.connect();
      client.wait_at_most(life.course().patience());
      live(life, client);
    }
  };
}

}  // namespace

Habit has_many_streams(std::optional<TlsOptions> options, const std::string& host) {
  return over_http2(std::move(options), [host](Life& life, Client& client) { ManyStreams(life, client, host).live(); });
}

Habit talks_grpc(std::optional<TlsOptions> options) {
  return over_http2(std::move(options), [](Life& life, Client& client) { GrpcTalk(life, client).live(); });
}

}  // namespace baton::harness::habits
