#include "examples/talk.hpp"

namespace baton::harness {

namespace {

void expect(Client& client, const std::string& bytes) {
  const std::string got = client.read_exactly(bytes.size());
  if (got != bytes) throw Failure("got '" + got.substr(0, 200) + "' instead of '" + bytes.substr(0, 200) + "'");
}

// ── Lines ─────────────────────────────────────────────────────────────────────────────────────────────────────────

class HalfALine final : public Talk {
 public:
  explicit HalfALine(const Address& server) : client_(server) {}
  void begin_turn() override { client_.send("half a "); }
  void end_turn() override {
    client_.send("line\n");
    expect(client_, std::to_string(++lines_) + " half a line\n");
  }

 private:
  Client client_;
  int lines_ = 0;
};

class UnreadLines final : public Talk {
 public:
  explicit UnreadLines(const Address& server) : client_(server) {}
  void begin_turn() override { client_.send("a\nbc\n\n"); }
  void end_turn() override {
    for (const char* line : {"a", "bc", ""}) expect(client_, std::to_string(++lines_) + ' ' + line + '\n');
  }

 private:
  Client client_;
  int lines_ = 0;
};

// ── Echo ──────────────────────────────────────────────────────────────────────────────────────────────────────────

// Each byte shows its position in the whole conversation.
std::string pattern(std::size_t from, std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>((from + i) * 2654435761u >> 16);
  return text;
}

class Echoed final : public Talk {
 public:
  Echoed(const Address& server, std::size_t bytes) : client_(server), bytes_(bytes) {}
  void begin_turn() override { client_.send(pattern(said_, bytes_)); }
  void end_turn() override {
    expect(client_, pattern(said_, bytes_));
    said_ += bytes_;
  }

 private:
  Client client_;
  const std::size_t bytes_;
  std::size_t said_ = 0;
};

// ── Web ───────────────────────────────────────────────────────────────────────────────────────────────────────────

// A request whose first `before` bytes are sent before the upgrade, and the rest after it.
class PartOfARequest final : public Talk {
 public:
  PartOfARequest(const Address& server, std::size_t before) : client_(server), before_(before) {}
  void begin_turn() override { client_.send(request_.substr(0, before_)); }
  void end_turn() override {
    client_.send(request_.substr(before_));
    expect_answer();
  }

  static constexpr std::size_t in_head = 20;
  static constexpr std::size_t in_body = 66;

 private:
  void expect_answer() {
    const std::string wanted = "request " + std::to_string(++requests_) + " of this connection, body of 10 bytes\n";
    const Response response = client_.response();
    if (response.body != wanted) throw Failure("got '" + response.body + "' instead of '" + wanted + "'");
  }

  Client client_;
  const std::string request_ = "POST /path HTTP/1.1\r\nHost: example\r\nContent-Length: 10\r\n\r\n0123456789";
  const std::size_t before_;
  int requests_ = 0;
};

class Pipelined final : public Talk {
 public:
  explicit Pipelined(const Address& server) : client_(server) {}
  void begin_turn() override { client_.send(get_request("/1") + get_request("/2") + get_request("/3").substr(0, 9)); }
  void end_turn() override {
    client_.send(get_request("/3").substr(9));
    for (int i = 0; i < 3; ++i) {
      const std::string wanted = "request " + std::to_string(++requests_) + " of this connection, body of 0 bytes\n";
      if (const auto response = client_.response(); response.body != wanted) throw Failure("got '" + response.body + "'");
    }
  }

 private:
  Client client_;
  int requests_ = 0;
};

// A ping and, directly after it, the first `before` bytes of a frame before the upgrade; the rest after it.
class PartOfAFrame final : public Talk {
 public:
  PartOfAFrame(const Address& server, std::size_t before) : client_(open_web_socket(server)), before_(before) {}
  void begin_turn() override {
    client_->send(frame(0x89, "ping") + message_.substr(0, before_));
    expect(*client_, std::string("\x8a\x04ping"));
  }
  void end_turn() override {
    client_->send(message_.substr(before_));
    expect_text(*client_, std::to_string(++messages_) + " hello");
  }

 private:
  std::unique_ptr<Client> client_;
  const std::string message_ = frame(0x81, "hello");
  const std::size_t before_;
  int messages_ = 0;
};

}  // namespace

Talks talk_in_lines(const Address& server) {
  Talks talks;
  talks.push_back(std::make_unique<HalfALine>(server));
  talks.push_back(std::make_unique<UnreadLines>(server));
  return talks;
}

Talks talk_to_an_echo(const Address& server) {
  Talks talks;
  for (const std::size_t bytes : {1u, 700u, 200'000u}) talks.push_back(std::make_unique<Echoed>(server, bytes));
  return talks;
}

Talks talk_to_the_web(const Address& server) {
  Talks talks;
  for (const std::size_t before : {std::size_t{0}, PartOfARequest::in_head, PartOfARequest::in_body}) {
    talks.push_back(std::make_unique<PartOfARequest>(server, before));
  }
  talks.push_back(std::make_unique<Pipelined>(server));
  for (const std::size_t before : {0u, 1u, 4u, 9u}) talks.push_back(std::make_unique<PartOfAFrame>(server, before));
  return talks;
}

std::unique_ptr<Client> open_web_socket(const Address& server) {
  auto client = std::make_unique<Client>(server);
  client->send(get_request("/", "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
  const std::string head = client->read_through("\r\n\r\n");
  if (!head.starts_with("HTTP/1.1 101 ")) throw Failure("no WebSocket: " + head);
  return client;
}

std::string frame(unsigned char first, const std::string& payload) {
  // Masked with zeros, which changes nothing.
  return std::string{static_cast<char>(first), static_cast<char>(0x80 | payload.size())} + std::string(4, '\0') + payload;
}

void expect_text(Client& client, const std::string& payload) {
  expect(client, std::string{'\x81', static_cast<char>(payload.size())} + payload);
}

}  // namespace baton::harness
