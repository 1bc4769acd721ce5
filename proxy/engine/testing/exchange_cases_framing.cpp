// Where messages end, and what that means for the connection.
#include "proxy/engine/testing/exchange_cases.hpp"
#include "proxy/http1/forward.hpp"

namespace baton::engine {

using End = Seen::End;
using Fate = Seen::Upstream::Fate;

std::string request(const std::string& line, const std::string& fields) {
  return line + "\r\nHost: a\r\n" + fields + "\r\n";
}

std::string forwarded(const std::string& line, const std::string& fields) {
  return line + "\r\nHost: a\r\n" + fields +
         "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n\r\n";
}

std::string own(std::uint16_t status, bool head_only) {
  state::Buffer out;
  http1::write_own_response({.status = status, .close = true, .head_only = head_only}, out);
  return std::string(out.view());
}

std::string kept(std::uint16_t status, bool head_only, bool announced) {
  state::Buffer out;
  http1::write_own_response(
      {.status = status, .close = false, .announce_keep_alive = announced, .head_only = head_only}, out);
  return std::string(out.view());
}

namespace {

const std::string plain_chunks = "5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n";
const std::string chunks = "5;ext=1\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n";

}  // namespace

std::vector<Case> cases_of_framing() {
  std::vector<Case> cases;
  cases.push_back({"a request and its response, and the connection goes on",
                   {client(get), upstream(ok), client(get), upstream(ok), client_ends},
                   {.client = ok + ok,
                    .end = End::closed,
                    .upstreams = {{get_forwarded, Fate::parked}, {get_forwarded, Fate::parked}},
                    .statuses = {200, 200}}});
  cases.push_back({"pipelined requests are answered one after the other",
                   {client(get + "\r\n" + get), upstream(ok), upstream(ok)},
                   {.client = ok + ok,
                    .upstreams = {{get_forwarded, Fate::parked}, {get_forwarded, Fate::parked}},
                    .statuses = {200, 200}}});
  const std::string put = request("PUT /f HTTP/1.1", "Content-Length: 5\r\n") + "hello";
  const std::string put_forwarded = forwarded("PUT /f HTTP/1.1", "Content-Length: 5\r\n") + "hello";
  cases.push_back({"a body by length",
                   {client(put + get), upstream("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"), upstream(ok)},
                   {.client = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n" + ok,
                    .upstreams = {{put_forwarded, Fate::parked}, {get_forwarded, Fate::parked}},
                    .statuses = {201, 200}}});
  const std::string trailers = "X-Sum: 1\r\nContent-Length: 9\r\n\r\n";
  cases.push_back({"chunks both ways, a client's extensions and trailers with them",
                   {client(request("POST / HTTP/1.1", chunked_fields) + chunks + trailers),
                    upstream("HTTP/1.1 200 OK\r\n" + chunked_fields + "\r\n" + chunks + trailers), client(get),
                    upstream(ok)},
                   {.client = "HTTP/1.1 200 OK\r\n" + chunked_fields + "\r\n" + plain_chunks + "X-Sum: 1\r\n\r\n" + ok,
                    .upstreams = {{forwarded("POST / HTTP/1.1", chunked_fields) + chunks + "X-Sum: 1\r\n\r\n",
                                   Fate::parked},
                                  {get_forwarded, Fate::parked}},
                    .statuses = {200, 200}}});
  cases.push_back({"blanks in the size lines of chunks, and extensions of a server, go no further",
                   {client(request("POST / HTTP/1.1", chunked_fields) + "5 ; a = b\r\nhello\r\n0\r\n\r\n"),
                    upstream("HTTP/1.1 200 OK\r\n" + chunked_fields + "\r\n5 \r\nhello\r\n0\t ;x\r\n\r\n")},
                   {.client = "HTTP/1.1 200 OK\r\n" + chunked_fields + "\r\n5\r\nhello\r\n0\r\n\r\n",
                    .upstreams = {{forwarded("POST / HTTP/1.1", chunked_fields) + "5;a=b\r\nhello\r\n0\r\n\r\n",
                                   Fate::parked}},
                    .statuses = {200}}});
  cases.push_back({"a response until close ends the connection",
                   {client(get), upstream("HTTP/1.1 200 OK\r\n\r\nall of it"), upstream_ends, client_ends},
                   {.client = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it",
                    .client_ended = true,
                    .end = End::closed,
                    .upstreams = {{get_forwarded, Fate::closed}},
                    .statuses = {200}}});
  cases.push_back({"HEAD, 204 and 304 have no body",
                   {client(request("HEAD / HTTP/1.1") + get + get + get),
                    upstream("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"),
                    upstream("HTTP/1.1 204 No Content\r\n\r\n"),
                    upstream("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"), upstream(ok)},
                   {.client = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
                              "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n" + ok,
                    .upstreams = {{forwarded("HEAD / HTTP/1.1"), Fate::parked},
                                  {get_forwarded, Fate::parked},
                                  {get_forwarded, Fate::parked},
                                  {get_forwarded, Fate::parked}},
                    .statuses = {200, 204, 304, 200}}});
  const std::string get10 = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";
  cases.push_back({"an HTTP/1.0 client gets the content without its chunks, and no 1xx",
                   {client(get10),
                    upstream("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n" + chunked_fields + "\r\n" + chunks +
                             trailers),
                    client_ends},
                   {.client = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello world",
                    .end = End::closed,
                    .upstreams = {{get_forwarded, Fate::parked}},
                    .statuses = {200}}});
  cases.push_back({"an HTTP/1.0 client may ask for another",
                   {client("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"), upstream(ok)},
                   {.client = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok",
                    .upstreams = {{get_forwarded, Fate::parked}},
                    .statuses = {200}}});
  cases.push_back({"a client's last request is the last",
                   {client(request("GET / HTTP/1.1", "Connection: close\r\n")), upstream(ok)},
                   {.client = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
                    .end = End::closed,
                    .upstreams = {{get_forwarded, Fate::parked}},
                    .statuses = {200}}});
  cases.push_back({"the upstream closes after its response",
                   {client(get), upstream("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"),
                    client(get), upstream(ok)},
                   {.client = ok + ok,
                    .upstreams = {{get_forwarded, Fate::closed}, {get_forwarded, Fate::parked}},
                    .statuses = {200, 200}}});
  cases.push_back({"a server that stops says so, lingers, and takes no further request",
                   {client(get + get), upstream(ok), client("what comes late"), client_ends},
                   {.client = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
                    .client_ended = true,
                    .end = End::closed,
                    .upstreams = {{get_forwarded, Fate::parked}},
                    .statuses = {200}},
                   [](Dialogue& dialogue) { dialogue.closing = true; }});
  cases.push_back({"the last of so many requests",
                   {client(get + get), upstream(ok),
                    upstream("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), client_ends},
                   {.client = ok + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
                    .client_ended = true,
                    .end = End::closed,
                    .upstreams = {{get_forwarded, Fate::parked}, {get_forwarded, Fate::parked}},
                    .statuses = {200, 200}},
                   [](Dialogue& dialogue) { dialogue.rules.requests_per_connection = 2; }});
  cases.push_back({"a client that leaves between requests, or within a head",
                   {client(get), upstream(ok), client("GET / HT"), client_ends},
                   {.client = ok,
                    .end = End::closed,
                    .upstreams = {{get_forwarded, Fate::parked}},
                    .statuses = {200}}});
  return cases;
}

}  // namespace baton::engine
