#include "http2_kind.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace baton::versions {

using namespace harness;

namespace {

// The bytes are written by hand: a library may encode the same requests in another way tomorrow, and then the recorded
// table of the decoder would not be that of its client.
constexpr std::uint8_t data = 0, headers = 1, rst_stream = 3, settings = 4, goaway = 7;
constexpr std::uint8_t ends_stream = 1, ends_headers = 4, acknowledges = 1;
constexpr std::uint32_t upload = 1, download = 3, third = 5;

std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
  std::string out;
  for (int shift = 16; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(stream >> shift);
  return out + std::string(payload);
}

std::string literal(std::string_view begin, std::string_view value) {
  return std::string(begin) + static_cast<char>(value.size()) + std::string(value);
}

// RFC 7541: names and values from the static table; `:authority` is put into the dynamic table by the first request, and
// taken from there by the others.
constexpr std::string_view get = "\x82", post = "\x83", scheme_http = "\x86", path = "\x04", new_authority = "\x41",
                           authority_again = "\xbe", content_length = "\x0f\x0d", status_200 = "\x88";

std::string get_block(std::string_view target) {
  return std::string(get) + std::string(scheme_http) + literal(path, target) + std::string(authority_again);
}

// What streams have heard, until these three have ended.
class Heard {
 public:
  explicit Heard(Client& client) {
    while (ended_.size() < 3) take_frame(client);
  }
  const std::string& body(std::uint32_t stream) { return bodies_[stream]; }

 private:
  void take_frame(Client& client) {
    const std::string head = client.read_exactly(9);
    const auto number = [&head](std::size_t at, std::size_t bytes) {
      std::uint32_t value = 0;
      for (std::size_t i = at; i < at + bytes; ++i) value = value << 8 | static_cast<unsigned char>(head[i]);
      return value;
    };
    const std::string payload = client.read_exactly(number(0, 3));
    const std::uint32_t type = number(3, 1), flags = number(4, 1), stream = number(5, 4);
    if (type == rst_stream || type == goaway) throw Failure("a stream or the connection has failed");
    if (type == headers && !payload.starts_with(status_200)) throw Failure("another status");
    if (type == data) bodies_[stream] += payload;
    if (type <= headers && (flags & ends_stream) != 0) ended_.insert(stream);
  }

  std::map<std::uint32_t, std::string> bodies_;
  std::set<std::uint32_t> ended_;
};

}  // namespace

ConnectionKind http2_kind(const std::string& body, std::size_t passed) {
  const std::string first = body.substr(0, passed), second = body.substr(passed);
  const std::string upload_block = std::string(post) + std::string(scheme_http) + literal(path, "/upload") +
                                   literal(new_authority, "a") + literal(content_length, std::to_string(body.size()));
  const std::string last = frame(headers, ends_stream | ends_headers, third, get_block("/bytes/20"));
  const std::size_t half = last.size() / 2;
  return {.kind = clients::Kind::http2,
          .since = unreleased,
          .arrivals = 2,
          .said = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(settings, 0, 0, "") +
                  frame(headers, ends_headers, upload, upload_block) + frame(data, 0, upload, first) +
                  frame(headers, ends_stream | ends_headers, download, get_block("/download")) + last.substr(0, half),
          .forwarded = {post_request("/upload", body).substr(0, post_request("/upload", body).size() - second.size()),
                        get_request("/download")},
          .heard_through = first.substr(first.size() - 100),
          .go_on = [=](Client& client) {
            client.send(last.substr(half) + frame(settings, acknowledges, 0, "") +
                        frame(data, ends_stream, upload, second));
            Heard heard(client);
            EXPECT_EQ(heard.body(upload), "as sent");
            EXPECT_EQ(heard.body(download), second);
            EXPECT_EQ(heard.body(third), pattern(20));
          }};
}

}  // namespace baton::versions
