#include "http2_kind.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "harness/http2_frames.hpp"

namespace baton::versions {

using namespace harness;
using namespace http2;

namespace {

constexpr std::uint32_t first = 1, second = 3, third = 5;

const std::string& body() {
  return body_of_kinds();
}
std::string passed() {
  return body().substr(0, passed_bytes);
}
std::string rest() {
  return body().substr(passed_bytes);
}
std::string greeting() {
  return std::string(preface) + frame(settings_type, 0, 0, "");
}

// The authority is put into the dynamic table by the first request, and taken from there by the others.
std::string get_block(std::string_view target) {
  return std::string(get) + std::string(scheme_http) + literal(path, target) + std::string(newest);
}
std::string first_get_block(std::string_view target) {
  return std::string(get) + std::string(scheme_http) + literal(path, target) + literal(new_authority, "a");
}
std::string first_post_block(std::string_view target) {
  return std::string(post) + std::string(scheme_http) + literal(path, target) + literal(new_authority, "a") +
         literal(content_length, std::to_string(body().size()));
}
std::string post_block(std::string_view target) {
  return std::string(post) + std::string(scheme_http) + literal(path, target) + std::string(newest) +
         literal(content_length, std::to_string(body().size()));
}

// The part of an upload that has passed, for a server of HTTP/1.1.
std::string begun_upload(const std::string& target) {
  const std::string whole = post_request(target, body());
  return whole.substr(0, whole.size() - rest().size());
}

// What streams have heard, until so many have ended.
class Heard {
 public:
  Heard(Client& client, std::size_t streams) {
    while (ended_.size() < streams) take(read_frame(client));
  }
  const std::string& body(std::uint32_t stream) { return bodies_[stream]; }

 private:
  void take(const Frame& frame) {
    if (frame.type == rst_stream || frame.type == goaway) throw Failure("a stream or the connection has failed");
    if (frame.type == headers && !frame.payload.starts_with(status_200)) throw Failure("another status");
    if (frame.type == data) bodies_[frame.stream] += frame.payload;
    if (frame.type <= headers && (frame.flags & ends_stream) != 0) ended_.insert(frame.stream);
  }

  std::map<std::uint32_t, std::string> bodies_;
  std::set<std::uint32_t> ended_;
};

}  // namespace

ConnectionKind http2_kind() {
  const std::string last = frame(headers, ends_stream | ends_headers, third, get_block("/bytes/20"));
  const std::size_t half = last.size() / 2;
  return {.kind = clients::Kind::http2,
          .since = "0.2.0",
          .arrivals = 2,
          .said = greeting() + frame(headers, ends_headers, first, first_post_block("/upload")) +
                  frame(data, 0, first, passed()) +
                  frame(headers, ends_stream | ends_headers, second, get_block("/download")) + last.substr(0, half),
          .forwarded = {{begun_upload("/upload")}, {get_request("/download")}},
          .heard_through = end_of_passed(),
          .go_on = [=](Client& client) {
            client.send(last.substr(half) + frame(settings_type, acknowledges, 0, "") +
                        frame(data, ends_stream, first, rest()));
            Heard heard(client, 3);
            EXPECT_EQ(heard.body(first), "as sent");
            EXPECT_EQ(heard.body(second), rest());
            EXPECT_EQ(heard.body(third), pattern(20));
          }};
}

ConnectionKind http2_to_http2_kind() {
  const std::string begun = frame(data, 0, second, passed());
  return {
      .kind = clients::Kind::http2,
      .to_http2 = true,
      .since = "0.2.0",
      .arrivals = 2,
      .said = greeting() + frame(headers, ends_headers, first, first_post_block("/upload")) +
              frame(data, 0, first, passed()) + frame(headers, ends_headers, second, post_block("/streams/upload")) +
              begun + frame(headers, ends_stream | ends_headers, third, get_block("/streams/download-with-upload")),
      .forwarded = {{begun_upload("/upload")},
                    {.said = greeting() + frame(headers, ends_headers, 1, first_post_block("/streams/upload")) +
                             frame(data, 0, 1, passed()) +
                             frame(headers, ends_stream | ends_headers, 3, get_block("/streams/download-with-upload")),
                     .to_http2 = true}},
      .heard_through = end_of_passed(),
      .go_on = [](Client& client) {
        client.send(frame(settings_type, acknowledges, 0, "") + frame(data, ends_stream, first, rest()) +
                    frame(data, ends_stream, second, rest()));
        Heard heard(client, 3);
        EXPECT_EQ(heard.body(first), "as sent");
        EXPECT_EQ(heard.body(second), "as sent");
        EXPECT_EQ(heard.body(third), rest());
      }};
}

ConnectionKind http1_to_http2_kind() {
  return {.kind = clients::Kind::download,
          .to_http2 = true,
          .since = "0.2.0",
          .arrivals = 1,
          .said = get_request("/pooled/bytes/10") + get_request("/streams/download"),
          .forwarded = {{.said = greeting() +
                                 frame(headers, ends_stream | ends_headers, 1, first_get_block("/streams/download")),
                         .to_http2 = true}},
          .heard_through = end_of_passed(),
          .go_on = [](Client& client) {
            EXPECT_EQ(client.read_exactly(rest().size()), rest());
            EXPECT_EQ(client.get("/streams/bytes/6").body, pattern(6));
          }};
}

std::string pooled_request() {
  return greeting() + frame(headers, ends_stream | ends_headers, 1, first_get_block("/pooled/bytes/10"));
}

std::string end_of_pooled_answer() {
  return pattern(10);
}

}  // namespace baton::versions
