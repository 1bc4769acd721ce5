#include "proxy/worker/testing/loopback_plays.hpp"

#include <cstdio>

namespace baton::proxy {

namespace {

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

}  // namespace

std::string numbered(std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; text.size() < bytes; ++i) text += std::to_string(i) + ",";
  return text;
}

std::string request(const std::string& line, const std::string& fields) {
  return line + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

std::string response(const std::string& body, const std::string& fields) {
  return ok + "Content-Length: " + std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body;
}

std::vector<Play> plays(std::size_t body_bytes) {
  const std::string large = numbered(body_bytes);
  const std::string upload = numbered(body_bytes);
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
                   .client = {{"", request("POST /", chunked) + in_chunks(numbered(body_bytes * 2 / 5), 7'001)},
                              {"X-Sum: 1\r\n\r\n", "", true}},
                   .origin = {{"X-Sum: 1\r\n\r\n",
                               ok + chunked + "\r\n" + in_chunks(numbered(body_bytes * 2 / 5), 5'003)}},
                   .client_reads = 8 * 1024});
  plays.push_back({.name = "a large response and a slow reader",
                   .client = {{"", request("GET /")}, {large.substr(large.size() - 30), request("GET /2")},
                              {"two", "", true}},
                   .origin = {{"\r\n\r\n", response(large)}, {"\r\n\r\n", response("two")}},
                   .client_reads = 16 * 1024});
  plays.push_back({.name = "a response until close",
                   .client = {{"", request("GET /")}, {"the end", "", true}},
                   .origin = {{"\r\n\r\n", ok + "\r\n" + numbered(body_bytes / 3)}, {"", "the end", true}},
                   .client_reads = 8 * 1024,
                   .closes = true});
  const std::string upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n";
  plays.push_back({.name = "a tunnel, and each direction ends by itself",
                   .client = {{"", request("GET /ws", upgrade)}, {"101", ""}, {"\r\n\r\n", "ping"},
                              {"pong", numbered(body_bytes / 8) + "last words", true}},
                   .origin = {{"\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n" + upgrade + "\r\n"},
                              {"ping", "pong" + numbered(body_bytes / 8)}, {"last words", "goodbye", true}},
                   .client_reads = 8 * 1024,
                   .origin_reads = 8 * 1024});
  plays.push_back({.name = "a raw tunnel, in which the server speaks first",
                   .client = {{"hello", numbered(body_bytes / 3) + "question", true}},
                   .origin = {{"", "hello"}, {"question", numbered(body_bytes / 3) + "answer", true}},
                   .client_reads = 8 * 1024,
                   .origin_reads = 8 * 1024,
                   .raw = true});
  plays.push_back({.name = "a client that waits for 100",
                   .client = {{"", request("POST /", "Content-Length: 4\r\nExpect: 100-continue\r\n")},
                              {"100 Continue\r\n\r\n", "body"}, {"thanks", "", true}},
                   .origin = {{"\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n"}, {"body", response("thanks")}}});
  return plays;
}

std::vector<Play> bulky_plays(std::size_t body_bytes) {
  const std::string large = numbered(body_bytes);
  const std::string end = large.substr(large.size() - 30);
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  const std::string upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n";
  const std::string length = "Content-Length: " + std::to_string(large.size()) + "\r\n";
  std::vector<Play> plays;
  plays.push_back({.name = "responses by length",
                   .client = {{"", request("GET /")}, {end, request("GET /2")}, {end, "", true}},
                   .origin = {{"\r\n\r\n", response(large)}, {"\r\n\r\n", response(large)}}});
  plays.push_back({.name = "a response and a slow reader",
                   .client = {{"", request("GET /")}, {end, request("GET /2")}, {"two", "", true}},
                   .origin = {{"\r\n\r\n", response(large)}, {"\r\n\r\n", response("two")}},
                   .client_reads = 20 * 1024});
  plays.push_back({.name = "a response until close",
                   .client = {{"", request("GET /")}, {"the end", "", true}},
                   .origin = {{"\r\n\r\n", ok + "\r\n" + large + "the end", true}},
                   .closes = true});
  plays.push_back({.name = "a response that a client of HTTP/1.0 gets without chunks",
                   .client = {{"", "GET / HTTP/1.0\r\nHost: a\r\n\r\n"}, {end, "", true}},
                   .origin = {{"\r\n\r\n", ok + chunked + "\r\n" + in_chunks(large, 150'001)}},
                   .closes = true});
  plays.push_back(
      {.name = "bodies in large chunks, both ways",
       .client = {{"", request("POST /", chunked) + in_chunks(large, 150'001)}, {"X-Sum: 1\r\n\r\n", "", true}},
       .origin = {{"X-Sum: 1\r\n\r\n", ok + chunked + "\r\n" + in_chunks(large, 150'001)}}});
  plays.push_back({.name = "an upload, and a slow origin",
                   .client = {{"", request("PUT /", length) + large}, {"done", request("GET /2")}, {"two", "", true}},
                   .origin = {{end, response("done")}, {"\r\n\r\n", response("two")}},
                   .origin_reads = 20 * 1024});
  plays.push_back({.name = "a WebSocket, both ways",
                   .client = {{"", request("GET /ws", upgrade)},
                              {"101", ""},
                              {"\r\n\r\n", "ping"},
                              {"pong", large + "last words", true}},
                   .origin = {{"\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n" + upgrade + "\r\n"},
                              {"ping", "pong" + large},
                              {"last words", "goodbye", true}},
                   .client_reads = 50 * 1024});
  plays.push_back({.name = "a raw tunnel, both ways",
                   .client = {{"hello", large + "question", true}},
                   .origin = {{"", "hello"}, {"question", large + "answer", true}},
                   .origin_reads = 50 * 1024,
                   .raw = true});
  return plays;
}

}  // namespace baton::proxy
