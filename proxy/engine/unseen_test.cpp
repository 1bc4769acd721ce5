// Bytes that pass from one socket to the other without being looked at: when they may, and that the exchange is then as
// if they had been read and forwarded.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "proxy/engine/engine.hpp"

namespace baton::engine {
namespace {

constexpr std::uint64_t endless = std::numeric_limits<std::uint64_t>::max();

class Unseen : public testing::Test {
 protected:
  Action advance() {
    scratch.parsed_for = nullptr;
    return engine::advance(state,
                           {.rules = &rules, .scratch = scratch, .client_address = "192.0.2.1", .now_ms = now_ms})
        .action;
  }
  // What the kernel would have taken.
  void send_all() {
    state.client.unsent.clear();
    if (state.upstream() != nullptr) state.upstream()->unsent.clear();
  }
  void client_sends(const std::string& bytes) {
    state.client.unread.append(bytes);
    state.client.read_at_ms = now_ms;
    if (advance() == Action::connect) {
      state.exchange->upstream.emplace();
      advance();
    }
    send_all();
  }
  Action server_sends(const std::string& bytes) {
    state.upstream()->unread.append(bytes);
    state.upstream()->read_at_ms = now_ms;
    const Action action = advance();
    send_all();
    return action;
  }
  void get() { client_sends("GET / HTTP/1.1\r\nHost: a\r\n\r\n"); }

  // The state after so many bytes, which are seen or not, is the same.
  void expect_same(bool is_upload, std::size_t bytes) {
    const state::ConnectionState before = state;
    now_ms += 10;
    is_upload ? client_sends(std::string(bytes, 'x')) : (void)server_sends(std::string(bytes, 'x'));
    const state::ConnectionState seen = state;
    state = before;
    is_upload ? note_unseen_upload(state, bytes, now_ms) : note_unseen_download(state, bytes, now_ms);
    if (!is_upload) state.client.write_at_ms = now_ms;
    advance();
    EXPECT_TRUE(state == seen);
  }

  Rules rules;
  http1::Scratch scratch;
  state::ConnectionState state;
  std::int64_t now_ms = 1'000'000;
};

TEST_F(Unseen, AResponseByLength) {
  get();
  EXPECT_EQ(unseen_download(state), 0U) << "a head comes first";
  server_sends("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc");
  EXPECT_EQ(unseen_download(state), 99'997U);
  expect_same(false, 50'000);
  EXPECT_EQ(unseen_download(state), 49'997U);
  expect_same(false, 49'997);
  EXPECT_EQ(unseen_download(state), 0U);
}

TEST_F(Unseen, AResponseUntilClose) {
  get();
  server_sends("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(unseen_download(state), endless);
  expect_same(false, 70'000);
  EXPECT_EQ(unseen_download(state), endless);
}

TEST_F(Unseen, TheContentOfAChunkButNotItsSize) {
  get();
  server_sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(unseen_download(state), 0U);
  server_sends("10000\r\n");
  EXPECT_EQ(unseen_download(state), 0x10000U);
  expect_same(false, 0x10000);
  EXPECT_EQ(unseen_download(state), 0U);
  server_sends("\r\n5\r\nab");
  EXPECT_EQ(unseen_download(state), 3U);
}

TEST_F(Unseen, AnUploadByLength) {
  client_sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(unseen_upload(state), 100'000U);
  expect_same(true, 60'000);
  expect_same(true, 40'000);
  EXPECT_EQ(unseen_upload(state), 0U) << "the next request is looked at";
}

TEST_F(Unseen, NoUploadThatMayHaveToBeSentAgain) {
  client_sends("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc");
  EXPECT_EQ(unseen_upload(state), 0U);
  client_sends(std::string(rules.buffer_bytes, 'x'));
  EXPECT_EQ(unseen_upload(state), 100'000U - 3 - rules.buffer_bytes) << "more than is kept for another attempt";
}

TEST_F(Unseen, NoUploadBeyondTheLimit) {
  rules.body_bytes = 50'000;
  client_sends("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\nabc");
  EXPECT_EQ(unseen_upload(state), 49'997U);
  expect_same(true, 49'997);
  EXPECT_EQ(unseen_upload(state), 0U);
}

TEST_F(Unseen, NoUploadThatTheServerTakesNoMore) {
  client_sends("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  upstream_write_failed(state);
  EXPECT_EQ(unseen_upload(state), 0U);
}

TEST_F(Unseen, ATunnelBothWays) {
  const std::string upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n";
  client_sends("GET / HTTP/1.1\r\nHost: a\r\n" + upgrade);
  server_sends("HTTP/1.1 101 Switching Protocols\r\n" + upgrade);
  EXPECT_EQ(unseen_upload(state), endless);
  EXPECT_EQ(unseen_download(state), endless);
  expect_same(true, 100'000);
  expect_same(false, 100'000);
}

// Each of these is what stands in the way, one at a time.
TEST_F(Unseen, NothingWhileSomethingElseComesFirstOrAnEndHasCome) {
  get();
  server_sends("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
  const state::ConnectionState free = state;
  const auto expect_nothing = [&](auto&& change, const char* what) {
    state = free;
    ASSERT_NE(unseen_download(state), 0U);
    change();
    EXPECT_EQ(unseen_download(state), 0U) << what;
  };
  expect_nothing([&] { state.upstream()->unread.append("x"); }, "received, and not yet forwarded");
  expect_nothing([&] { state.client.unsent.append("x"); }, "forwarded, and not yet sent");
  expect_nothing([&] { state.upstream()->read_ended = true; }, "the server has ended");
  expect_nothing([&] { state.client.write_ended = true; }, "the client takes no more");
  expect_nothing([&] { state.client.tls.emplace(); }, "the client's leg has TLS");
  expect_nothing([&] { state.upstream()->tls.emplace(); }, "the server's leg has TLS");
  expect_nothing([&] { state.client.stream.emplace(); }, "the client's flow is a stream");
  expect_nothing([&] { state.upstream()->stream.emplace(); }, "the server's flow is a stream");
  expect_nothing([&] { state.exchange->upstream.reset(); }, "there is no server");
  expect_nothing([&] { state.exchange.reset(); }, "there is no exchange");
}

}  // namespace
}  // namespace baton::engine
