// Conversations through a real worker, moved to another one after any event: each side must see the same bytes.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "proxy/loopback.hpp"

namespace baton::proxy {
namespace {

// Text in which every part is another.
std::string numbered(std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; text.size() < bytes; ++i) text += std::to_string(i) + ",";
  return text;
}

std::string request(const std::string& line, const std::string& fields = "") {
  return line + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

std::string response(const std::string& body, const std::string& fields = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body;
}

std::string in_chunks(const std::string& body, std::size_t chunk) {
  std::string out;
  char size[24];
  for (std::size_t at = 0; at < body.size(); at += chunk) {
    const std::string piece = body.substr(at, chunk);
    std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
    out += size + piece + "\r\n";
  }
  return out + "0\r\nX-Sum: 1\r\n\r\n";
}

std::vector<Play> plays() {
  const std::string large = numbered(150'000);
  const std::string upload = numbered(150'000);
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  std::vector<Play> plays;
  plays.push_back({.name = "requests in a pipeline",
                   .client = {{"", request("GET /1") + request("GET /2") + request("GET /3")},
                              {"three", "", true}},
                   .origin = {{"GET /1", ""}, {"\r\n\r\n", response("one")}, {"GET /2", ""},
                              {"\r\n\r\n", response("two")}, {"GET /3", ""}, {"\r\n\r\n", response("three")}}});
  plays.push_back({.name = "requests with pauses, the heads in pieces",
                   .client = {{"", "GET /1 HT"}, {"", "TP/1.1\r\nHost: a\r\n"}, {"", "\r\n"},
                              {"one", "GET /2 HTTP/1.1\r\nHost:"}, {"", " a\r\n\r\n"}, {"two", "", true}},
                   .origin = {{"\r\n\r\n", response("one")}, {"\r\n\r\n", response("two")}}});
  plays.push_back({.name = "a body by length, to a slow origin",
                   .client = {{"", request("PUT /", "Content-Length: " + std::to_string(upload.size()) + "\r\n") +
                                       upload},
                              {"done", request("GET /2")}, {"two", "", true}},
                   .origin = {{upload.substr(upload.size() - 30), response("done")}, {"\r\n\r\n", response("two")}},
                   .origin_reads = 16 * 1024});
  plays.push_back({.name = "a body in chunks with trailers, both ways",
                   .client = {{"", request("POST /", chunked) + in_chunks(numbered(60'000), 7'001)},
                              {"X-Sum: 1\r\n\r\n", "", true}},
                   .origin = {{"X-Sum: 1\r\n\r\n",
                               "HTTP/1.1 200 OK\r\n" + chunked + "\r\n" + in_chunks(numbered(60'000), 5'003)}},
                   .client_reads = 8 * 1024});
  plays.push_back({.name = "a large response and a slow reader",
                   .client = {{"", request("GET /")}, {large.substr(large.size() - 30), request("GET /2")},
                              {"two", "", true}},
                   .origin = {{"\r\n\r\n", response(large)}, {"\r\n\r\n", response("two")}},
                   .client_reads = 16 * 1024});
  plays.push_back({.name = "a response until close",
                   .client = {{"", request("GET /")}, {"the end", "", true}},
                   .origin = {{"\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n" + numbered(50'000)}, {"", "the end", true}},
                   .client_reads = 8 * 1024,
                   .closes = true});
  const std::string upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n";
  plays.push_back({.name = "a tunnel, and each direction ends by itself",
                   .client = {{"", request("GET /ws", upgrade)}, {"101", ""}, {"\r\n\r\n", "ping"},
                              {"pong", numbered(20'000) + "last words", true}},
                   .origin = {{"\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n" + upgrade + "\r\n"},
                              {"ping", "pong" + numbered(20'000)}, {"last words", "goodbye", true}},
                   .client_reads = 8 * 1024,
                   .origin_reads = 8 * 1024});
  plays.push_back({.name = "a raw tunnel, in which the server speaks first",
                   .client = {{"hello", numbered(50'000) + "question", true}},
                   .origin = {{"", "hello"}, {"question", numbered(50'000) + "answer", true}},
                   .client_reads = 8 * 1024,
                   .origin_reads = 8 * 1024,
                   .raw = true});
  plays.push_back({.name = "a client that waits for 100",
                   .client = {{"", request("POST /", "Content-Length: 4\r\nExpect: 100-continue\r\n")},
                              {"100 Continue\r\n\r\n", "body"}, {"thanks", "", true}},
                   .origin = {{"\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n"}, {"body", response("thanks")}}});
  return plays;
}

// Runs every play once undisturbed, and then again for every event after which something can be done.
void at_every_event(const std::function<void(Stage&, std::size_t since)>& act) {
  const TestListener front;
  const TestListener origin;
  for (const Play& play : plays()) {
    std::size_t events = 0;
    const Witnessed expected = Stage(play, front, origin).run([&](std::size_t count, Stage&) { events = count; });
    ASSERT_TRUE(expected.finished) << play.name << " has stopped\nclient: " << expected.client.substr(0, 300)
                                   << "\norigin: " << expected.origin.substr(0, 300);
    ASSERT_TRUE(expected.client_saw_end) << play.name;
    for (std::size_t at = 1; at <= events; ++at) {
      const Witnessed seen = Stage(play, front, origin).run([&](std::size_t count, Stage& stage) {
        if (count >= at) act(stage, count - at);
      });
      ASSERT_TRUE(seen.finished) << play.name << ", stopped after event " << at << " of " << events;
      ASSERT_TRUE(seen == expected) << play.name << ", event " << at << " of " << events << "\nclient "
                                    << seen.client.size() << " of " << expected.client.size() << " bytes, origin "
                                    << seen.origin.size() << " of " << expected.origin.size();
    }
  }
}

TEST(Loopback, MovedAfterAnyEventNothingIsLost) {
  at_every_event([](Stage& stage, std::size_t since) {
    if (since == 0) stage.move(Outcome::adopted);
  });
}

TEST(Loopback, TakenBackAfterAnyEventNothingIsLost) {
  at_every_event([](Stage& stage, std::size_t since) {
    if (since == 0) stage.move(Outcome::taken_back);
  });
}

TEST(Loopback, MovedThereAndBackNothingIsLost) {
  at_every_event([](Stage& stage, std::size_t since) {
    if (since == 0 || since == 2) stage.move(Outcome::adopted);
  });
}

TEST(Loopback, CopiesThatTheOldWorkerNeverClosesHoldUpNothing) {
  at_every_event([](Stage& stage, std::size_t since) {
    if (since == 0) stage.move(Outcome::adopted_and_copies_kept);
  });
}

TEST(Loopback, CopiesThatAHungNewWorkerNeverClosesHoldUpNothing) {
  at_every_event([](Stage& stage, std::size_t since) {
    if (since == 0) stage.move(Outcome::taken_back_and_copies_kept);
  });
}

// A move makes an event for each socket, so after every third there is progress between the moves.
TEST(Loopback, MovedAgainAndAgainNothingIsLost) {
  const TestListener front;
  const TestListener origin;
  for (const Play& play : plays()) {
    const Witnessed expected = Stage(play, front, origin).run([](std::size_t, Stage&) {});
    const Witnessed seen = Stage(play, front, origin).run([](std::size_t events, Stage& stage) {
      if (events % 3 == 0) stage.move(events % 2 == 0 ? Outcome::adopted : Outcome::taken_back);
    });
    ASSERT_TRUE(seen == expected) << play.name;
  }
}

}  // namespace
}  // namespace baton::proxy
