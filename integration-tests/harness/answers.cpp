#include "harness/answers.hpp"

#include <algorithm>
#include <cstdlib>

namespace baton::harness {

namespace {

// The N of "/bytes/N?query".
std::size_t number_in_path(const Exchange& exchange) {
  const std::string target = exchange.request.target();
  const std::size_t slash = target.find('/', 1);
  return slash == std::string::npos ? 0 : std::strtoull(target.c_str() + slash + 1, nullptr, 10);
}

void bytes(Exchange& exchange) {
  exchange.respond(pattern(number_in_path(exchange)));
}

void chunked(Exchange& exchange) {
  const std::string body = pattern(number_in_path(exchange));
  std::string out = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t at = 0; at < body.size(); at += 1000) out += chunk(std::string_view(body).substr(at, 1000));
  exchange.stream.send(out + std::string(last_chunk));
}

void until_close(Exchange& exchange) {
  exchange.stream.send("HTTP/1.1 200 OK\r\n\r\n" + pattern(number_in_path(exchange)));
  exchange.close = true;
}

void trailers(Exchange& exchange) {
  exchange.stream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Checksum\r\n\r\n" + chunk("hello") +
                       "0\r\nX-Checksum: abc123\r\n\r\n");
}

void echo(Exchange& exchange) {
  exchange.read_body();
  std::string text = exchange.request.raw_head + exchange.request.body;
  for (const auto& [name, value] : exchange.request.trailers) text += "\ntrailer " + name + ": " + value;
  exchange.respond(text);
}

void count(Exchange& exchange) {
  exchange.read_body();
  const std::string& body = exchange.request.body;
  exchange.respond(std::to_string(body.size()) + (body == pattern(body.size()) ? " as sent" : " changed"));
}

void status(Exchange& exchange) {
  const std::size_t code = number_in_path(exchange);
  const std::string line = "HTTP/1.1 " + std::to_string(code) + " Chosen\r\n";
  exchange.stream.send(line + (code == 204 || code == 304 ? "\r\n" : "Content-Length: 0\r\n\r\n"));
}

void held(Exchange& exchange) {
  exchange.origin.gate().pass();
  exchange.respond("held");
}

void half(Exchange& exchange) {
  const std::string body = pattern(number_in_path(exchange));
  exchange.stream.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                       body.substr(0, body.size() / 2));
  exchange.origin.gate().pass();
  exchange.stream.send(std::string_view(body).substr(body.size() / 2));
}

void half_chunked(Exchange& exchange) {
  const std::string body = pattern(number_in_path(exchange));
  exchange.stream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
                       chunk(body.substr(0, body.size() / 2)));
  exchange.origin.gate().pass();
  exchange.stream.send(chunk(body.substr(body.size() / 2)) + std::string(last_chunk));
}

void early(Exchange& exchange) {
  exchange.respond("no", "403 Forbidden");
}

void go_on(Exchange& exchange) {
  exchange.stream.send("HTTP/1.1 100 Continue\r\n\r\n");
  exchange.read_body();
  exchange.respond(std::to_string(exchange.request.body.size()));
}

void interim(Exchange& exchange) {
  exchange.stream.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
  exchange.respond("final");
}

void vanish(Exchange& exchange) {
  exchange.close = true;
}

void reset(Exchange& exchange) {
  const std::size_t bytes_before = number_in_path(exchange);
  exchange.stream.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(2 * bytes_before) + "\r\n\r\n" +
                       pattern(bytes_before));
  exchange.origin.gate().pass();
  exchange.stream.reset();
  exchange.close = true;
}

void websocket(Exchange& exchange) {
  exchange.close = true;
  exchange.stream.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  while (exchange.stream.await_bytes_forever()) exchange.stream.send(exchange.stream.read_available());
  exchange.stream.half_close();
}

void no_websocket(Exchange& exchange) {
  exchange.respond("plain");
}

}  // namespace

std::map<std::string, Answer> built_in_answers() {
  return {{"/bytes", bytes},
          {"/chunked", chunked},
          {"/until-close", until_close},
          {"/trailers", trailers},
          {"/echo", echo},
          {"/count", count},
          {"/status", status},
          {"/held", held},
          {"/half", half},
          {"/half-chunked", half_chunked},
          {"/early", early},
          {"/continue", go_on},
          {"/interim", interim},
          {"/vanish", vanish},
          {"/reset", reset},
          {"/websocket", websocket},
          {"/no-websocket", no_websocket}};
}

}  // namespace baton::harness
