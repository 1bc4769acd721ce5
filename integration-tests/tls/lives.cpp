#include "tls/lives.hpp"

#include <sys/socket.h>

#include <algorithm>

#include "tls/http2_life.hpp"

namespace baton::harness {

namespace {

using clients::Kind;

// How much of a download is left for the end: more than the sockets in between hold, or it would finish before that.
constexpr std::size_t download_rest_bytes = 8'000'000;
constexpr std::size_t download_bytes = download_rest_bytes + 4'000'000;
constexpr std::size_t upload_bytes = 1'500'000;

void check(bool holds, const std::string& what) {
  if (!holds) throw Failure(what);
}

const std::string& download() {
  static const std::string bytes = pattern(download_bytes);
  return bytes;
}

// One of this many equal shares.
std::size_t share(std::size_t total, int steps) {
  return total / static_cast<std::size_t>(steps);
}

void keep_receive_buffer_small(const Client& client) {
  const int bytes = 32 * 1024;
  ::setsockopt(client.fd(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

class Idle : public Life {
 public:
  Idle(const Places& places, const TlsOptions& options) : Life(Kind::idle), client_(places.http, options) {}
  void step(int number) override {
    const auto bytes = static_cast<std::size_t>(40'000 + number);
    check(client_.get("/bytes/" + std::to_string(bytes)).body == pattern(bytes), "another body");
  }
  void finish() override { step(0); }

 private:
  TlsClient client_;
};

// A request whose record is cut at another place each time: in its header, right after it, in the data, in the tag.
class HalfRecord : public Life {
 public:
  HalfRecord(const Places& places, const TlsOptions& options)
      : Life(Kind::half_record), client_(places.http, options) {}
  void step(int number) override {
    if (number != 0) complete();
    const std::string record = client_.seal(get_request("/bytes/300"));
    const std::size_t cuts[] = {1, 4, 5, 6, record.size() / 2, record.size() - 16, record.size() - 1};
    const std::size_t cut = cuts[static_cast<std::size_t>(number) % std::size(cuts)];
    client_.send_raw(std::string_view(record).substr(0, cut));
    rest_ = record.substr(cut);
  }
  void finish() override { complete(); }

 private:
  void complete() {
    client_.send_raw(rest_);
    check(client_.response().body == pattern(300), "another body");
  }
  TlsClient client_;
  std::string rest_;
};

// Reads a share of a body at each step, so that ciphertext always waits to be sent.
class Download : public Life {
 public:
  Download(const Places& places, const TlsOptions& options)
      : Life(Kind::download), steps_(places.steps), client_(places.http, options) {
    keep_receive_buffer_small(client_);
    client_.send(get_request("/chunked/" + std::to_string(download_bytes)));
    check(read_head(client_).start_line == "HTTP/1.1 200 OK", "no download");
    const std::string& body = download();
    for (std::size_t at = 0; at < body.size(); at += 1000) expected_ += chunk(std::string_view(body).substr(at, 1000));
    expected_ += last_chunk;
  }
  void step(int) override { take(share(download_bytes - download_rest_bytes, steps_)); }
  void finish() override {
    take(expected_.size() - at_);
    check(client_.get("/bytes/7").body == pattern(7), "nothing after the download");
  }

 private:
  void take(std::size_t bytes) {
    check(client_.read_exactly(bytes) == expected_.substr(at_, bytes), "another body at " + std::to_string(at_));
    at_ += bytes;
  }
  int steps_;
  TlsClient client_;
  std::string expected_;
  std::size_t at_ = 0;
};

// The last record of each share is left incomplete.
class Upload : public Life {
 public:
  Upload(const Places& places, const TlsOptions& options)
      : Life(Kind::upload),
        steps_(places.steps),
        client_(places.http, options),
        request_(post_request("/count", pattern(upload_bytes))) {}
  void step(int) override {
    const std::size_t bytes = share(request_.size(), steps_);
    const std::string records = rest_ + client_.seal(std::string_view(request_).substr(at_, bytes));
    at_ += bytes;
    client_.send_raw(std::string_view(records).substr(0, records.size() - 9));
    rest_ = records.substr(records.size() - 9);
  }
  void finish() override {
    client_.send_raw(rest_ + client_.seal(std::string_view(request_).substr(at_)));
    check(client_.response().body == std::to_string(upload_bytes) + " as sent", "the upload was changed");
  }

 private:
  int steps_;
  TlsClient client_;
  const std::string request_;
  std::size_t at_ = 0;
  std::string rest_;
};

// Bytes that are echoed after 101; the last ones of each step are read only after the upgrade.
class Echo : public Life {
 public:
  Echo(Kind kind, const Address& to, const TlsOptions& options) : Life(kind), client_(to, options) {
    client_.send(get_request("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    check(client_.response().status() == 101, "no 101");
  }
  void step(int number) override {
    read_rest();
    const std::string sent = pattern(static_cast<std::size_t>(50'000 + number));
    client_.send(sent);
    const std::size_t now = sent.size() / 2;
    check(client_.read_exactly(now) == sent.substr(0, now), "another echo");
    rest_ = sent.substr(now);
  }
  void finish() override {
    read_rest();
    client_.half_close();
    check(client_.read_to_fin().empty() && client_.was_closed_in_order(), "no orderly end");
  }

 private:
  void read_rest() { check(client_.read_exactly(rest_.size()) == rest_, "another rest of an echo"); }
  TlsClient client_;
  std::string rest_;
};

// It sent close_notify and FIN long ago, and still gets its answer.
class HalfClosed : public Life {
 public:
  HalfClosed(const Places& places, const TlsOptions& options)
      : Life(Kind::half_closed_by_client), steps_(places.steps), client_(places.raw, options) {
    keep_receive_buffer_small(client_);
    client_.send(get_request("/until-close/" + std::to_string(download_bytes)));
    check(read_head(client_).start_line == "HTTP/1.1 200 OK", "no download");
    client_.half_close();
  }
  void step(int) override { take(share(download_bytes - download_rest_bytes, steps_)); }
  void finish() override {
    check(client_.read_to_fin() == download().substr(at_), "another rest");
    check(client_.was_closed_in_order(), "no close_notify");
  }

 private:
  void take(std::size_t bytes) {
    check(client_.read_exactly(bytes) == download().substr(at_, bytes), "another body at " + std::to_string(at_));
    at_ += bytes;
  }
  int steps_;
  TlsClient client_;
  std::size_t at_ = 0;
};

// Its ClientHello takes the whole run to arrive.
class HalfHello : public Life {
 public:
  HalfHello(const Places& places, const TlsOptions& options)
      : Life(Kind::half_hello),
        steps_(places.steps),
        client_(places.http, options, TlsClient::Handshake::later),
        hello_(client_.next_flight()) {}
  void step(int) override {
    const std::size_t bytes = share(hello_.size() - 1, steps_);
    client_.send_raw(std::string_view(hello_).substr(at_, bytes));
    at_ += bytes;
  }
  void finish() override {
    client_.send_raw(std::string_view(hello_).substr(at_));
    client_.take_flight();
    client_.shake_hands();
    check(client_.get("/bytes/20").body == pattern(20), "another body");
  }

 private:
  int steps_;
  TlsClient client_;
  const std::string hello_;
  std::size_t at_ = 0;
};

// KeyUpdates from us and from the server: just sent, or with the answer still owed, when the upgrade comes.
class KeyUpdates : public Life {
 public:
  KeyUpdates(const Places& places, const TlsOptions& options)
      : Life(Kind::key_updates), client_(places.http, options) {}
  void step(int number) override {
    client_.update_keys(number % 2 == 0);
    check(client_.get("/bytes/2000").body == pattern(2000), "another body");
    client_.update_keys(number % 3 != 0);
    client_.send_raw(client_.seal(""));
  }
  void finish() override { check(client_.get("/bytes/2000").body == pattern(2000), "another body"); }

 private:
  TlsClient client_;
};

// Null: other tests play it.
std::unique_ptr<Life> life_of(Kind kind, const Places& places, const TlsOptions& options) {
  switch (kind) {
    case Kind::idle:
      return std::make_unique<Idle>(places, options);
    case Kind::half_record:
      return std::make_unique<HalfRecord>(places, options);
    case Kind::download:
      return std::make_unique<Download>(places, options);
    case Kind::upload:
      return std::make_unique<Upload>(places, options);
    case Kind::websocket:
      return std::make_unique<Echo>(kind, places.http, options);
    case Kind::raw_tcp:
      return std::make_unique<Echo>(kind, places.raw, options);
    case Kind::half_closed_by_client:
      return std::make_unique<HalfClosed>(places, options);
    case Kind::half_hello:
      return std::make_unique<HalfHello>(places, options);
    case Kind::key_updates:
      return std::make_unique<KeyUpdates>(places, options);
    case Kind::http2:
      return http2_life(places, options);
    // These concern only HTTP; a half record is a half head, and the download is read slowly.
    case Kind::keep_alive:
    case Kind::half_head:
    case Kind::pipelined:
    case Kind::large_bodies:
    case Kind::slow_reader:
    case Kind::events:
    case Kind::grpc:
    case Kind::half_closed_by_server:
    case Kind::newcomer:
      return nullptr;
  }
  return nullptr;
}

}  // namespace

std::vector<std::unique_ptr<Life>> all_lives(const Places& places, const TlsOptions& options) {
  const auto transport = options.version == TLS1_3_VERSION ? clients::Transport::tls13 : clients::Transport::tls12;
  std::vector<std::unique_ptr<Life>> lives;
  for (const clients::KindOfClient& one : clients::catalogue) {
    if (!clients::applies(one.kind, transport)) continue;
    if (auto life = life_of(one.kind, places, options)) lives.push_back(std::move(life));
  }
  return lives;
}

}  // namespace baton::harness
