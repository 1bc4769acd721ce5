#include "tls/http2_life.hpp"

#include "harness/http2_client.hpp"

namespace baton::harness {

namespace {

constexpr std::size_t piece_bytes = 30'000;
constexpr std::size_t cut_bytes = 9;  // of a record: in its tag

void ensure(bool holds, const std::string& what) {
  if (!holds) throw Failure(what);
}

// Holds back the end of what it seals last.
class CuttingClient : public TlsClient {
 public:
  using TlsClient::TlsClient;

  // What is sent next is cut; the rest goes before anything else that is sent.
  void cut_next() { cuts_ = true; }

  std::size_t send_what_goes(std::string_view bytes) override {
    std::string records = std::exchange(rest_, {}) + seal(bytes);
    if (std::exchange(cuts_, false)) {
      rest_ = records.substr(records.size() - cut_bytes);
      records.resize(records.size() - cut_bytes);
    }
    send_raw(records);
    return bytes.size();
  }

 private:
  bool cuts_ = false;
  std::string rest_;
};

std::unique_ptr<CuttingClient> connected(const Address& to, TlsOptions options) {
  options.alpn = "h2";
  auto client = std::make_unique<CuttingClient>(to, options);
  ensure(client->alpn() == "h2", "h2 was not agreed on");
  return client;
}

class Http2Life : public Life {
 public:
  Http2Life(int steps, std::unique_ptr<CuttingClient> connection)
      : Life(clients::Kind::http2),
        connection_(*connection),
        client_(std::move(connection), {.stream_window = piece_bytes, .updates_windows = false}),
        download_bytes_(piece_bytes * static_cast<std::size_t>(steps + 1)) {
    stalled_ = client_.begin_get("/bytes/" + std::to_string(download_bytes_));
    upload_ = client_.begin_post("/count");
    socket_ = client_.begin_websocket("/websocket");
    client_.await_head(socket_);
  }

  void step(int number) override {
    client_.send(upload_, next_piece());
    say("number " + std::to_string(number));
    ensure(client_.await_body(socket_, said_.size()).body == said_, "another echo");
    client_.await_body(stalled_, piece_bytes * static_cast<std::size_t>(number + 1));
    update_window(stalled_, piece_bytes);
    const Http2Response small = client_.get("/bytes/1000");
    ensure(small.status == 200 && small.body == pattern(1'000), "another body");
    update_window(0, small.body.size());
    connection_.cut_next();
    say("cut");
  }

  void finish() override {
    client_.send(upload_, next_piece(), true);
    ensure(client_.await_end(upload_).body == std::to_string(uploaded_.size()) + " as sent", "the upload was changed");
    ensure(client_.await_end(stalled_).body == pattern(download_bytes_), "another download");
    client_.send(socket_, "", true);
    ensure(client_.await_end(socket_).body == said_, "another echo");
    ensure(!client_.goaway(), "the end was announced");
  }

 private:
  std::string next_piece() {
    std::string piece = pattern(uploaded_.size() + piece_bytes).substr(uploaded_.size());
    uploaded_ += piece;
    return piece;
  }
  void say(const std::string& message) {
    client_.send(socket_, message);
    said_ += message;
  }
  // Of a stream, and of the connection.
  void update_window(std::int32_t stream, std::size_t bytes) {
    client_.update_window(stream, static_cast<std::int32_t>(bytes));
    if (stream != 0) client_.update_window(0, static_cast<std::int32_t>(bytes));
  }

  CuttingClient& connection_;
  Http2Client client_;
  const std::size_t download_bytes_;
  std::int32_t stalled_ = 0;
  std::int32_t upload_ = 0;
  std::int32_t socket_ = 0;
  std::string uploaded_;
  std::string said_;
};

}  // namespace

std::unique_ptr<Life> http2_life(const Places& places, const TlsOptions& options) {
  return std::make_unique<Http2Life>(places.steps, connected(places.http, options));
}

}  // namespace baton::harness
