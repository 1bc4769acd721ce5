// Interim responses, expectations, and protocols that take over; requests that are answered before they end.
#include "proxy/engine/testing/exchange_cases.hpp"

namespace baton::engine {

using End = Seen::End;
using Fate = Seen::Upstream::Fate;

namespace {

const std::string ok_and_close = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
const std::string upgrade = request("GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n");
const std::string upgrade_forwarded =
    forwarded("GET / HTTP/1.1", "Upgrade: websocket\r\nConnection: upgrade\r\n");
const std::string switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";

}  // namespace

std::vector<Case> cases_of_switching() {
  std::vector<Case> cases;
  cases.push_back({"interim responses come before the final one",
                   {client(get),
                    upstream("HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"),
                    upstream(ok)},
                   {.client = "HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + ok,
                    .upstreams = {{get_forwarded, Fate::parked}},
                    .statuses = {200}}});
  std::string eleven;
  for (int i = 0; i < 11; ++i) eleven += "HTTP/1.1 102 Processing\r\n\r\n";
  cases.push_back({"many interim responses are none too many",
                   {client(get), upstream(eleven), upstream(ok)},
                   {.client = eleven + ok, .upstreams = {{get_forwarded, Fate::parked}}, .statuses = {200}}});
  const std::string expects = "Content-Length: 5\r\nExpect: 100-continue\r\n";
  cases.push_back({"a client waits for 100 before it sends its body",
                   {client(request("POST / HTTP/1.1", expects)), upstream("HTTP/1.1 100 Continue\r\n\r\n"),
                    client("hello"), upstream(ok), client(get), upstream(ok)},
                   {.client = "HTTP/1.1 100 Continue\r\n\r\n" + ok + ok,
                    .upstreams = {{forwarded("POST / HTTP/1.1", expects) + "hello", Fate::parked},
                                  {get_forwarded, Fate::parked}},
                    .statuses = {200, 200}}});
  cases.push_back({"a final answer instead of 100, and the body is not read as a next request",
                   {client(request("POST / HTTP/1.1", expects)),
                    upstream("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), client(get), client_ends},
                   {.client = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                    .client_ended = true,
                    .end = End::closed,
                    .upstreams = {{forwarded("POST / HTTP/1.1", expects), Fate::cut}},
                    .statuses = {403}}});
  cases.push_back({"a final response before the body has ended is announced as the last",
                   {client(request("POST / HTTP/1.1", "Content-Length: 9\r\n") + "hello"), upstream(ok),
                    client("more"), client_ends},
                   {.client = ok_and_close,
                    .client_ended = true,
                    .end = End::closed,
                    .upstreams = {{forwarded("POST / HTTP/1.1", "Content-Length: 9\r\n") + "hello", Fate::cut}},
                    .statuses = {200}}});
  cases.push_back({"body and response go on side by side",
                   {client(request("POST / HTTP/1.1", "Content-Length: 9\r\n") + "hello"),
                    upstream("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab"), client("more"), upstream("cd"),
                    client_ends},
                   {.client = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nabcd",
                    .client_ended = true,
                    .end = End::closed,
                    .upstreams = {{forwarded("POST / HTTP/1.1", "Content-Length: 9\r\n") + "hellomore",
                                   Fate::parked}},
                    .statuses = {200}}});
  cases.push_back({"an upstream that takes no more of a body may still answer",
                   {client(request("POST / HTTP/1.1", "Content-Length: 9\r\n") + "hello"), upstream_takes_no_more,
                    client("more"), upstream(ok), client_ends},
                   {.client = ok,
                    .end = End::closed,
                    .upstreams = {{forwarded("POST / HTTP/1.1", "Content-Length: 9\r\n") + "hello", Fate::cut}},
                    .statuses = {200}}});
  cases.push_back({"a tunnel after 101, each direction with its own end",
                   {client(upgrade), upstream(switching + "from the upstream"), client("from the client"),
                    upstream(" and more"), client_ends, upstream(" to the end"), upstream_ends},
                   {.client = switching + "from the upstream and more to the end",
                    .client_ended = true,
                    .end = End::closed,
                    .upstreams = {{upgrade_forwarded +
                                       "from the client", Fate::ended}},
                    .statuses = {101}}});
  cases.push_back({"what a client sends before the 101 is held back until then",
                   {client(upgrade + "early"), upstream(switching), upstream_ends, client(" late"), client_ends},
                   {.client = switching,
                    .client_ended = true,
                    .end = End::closed,
                    .upstreams = {{upgrade_forwarded +
                                       "early late", Fate::ended}},
                    .statuses = {101}}});
  cases.push_back({"a reset of the client goes on as one, behind what the client had sent",
                   {client(upgrade), upstream(switching), client("last words"), client_resets},
                   {.client = switching,
                    .end = End::reset,
                    .upstreams = {{upgrade_forwarded + "last words", Fate::open}},
                    .statuses = {101}}});
  cases.push_back({"a reset of the server goes on as one, behind what the server had sent",
                   {client(upgrade), upstream(switching + "last words"), upstream_resets},
                   {.client = switching + "last words",
                    .end = End::reset,
                    .upstreams = {{upgrade_forwarded, Fate::open}},
                    .statuses = {101}}});
  cases.push_back({"a reset of a client that had ended its side is none the less one",
                   {client(upgrade), upstream(switching), client("last words"), client_ends, client_resets},
                   {.client = switching,
                    .end = End::reset,
                    .upstreams = {{upgrade_forwarded + "last words", Fate::ended}},
                    .statuses = {101}}});
  cases.push_back({"a server that takes no more is no server that has ended",
                   {client(upgrade), upstream(switching), client("ping"), upstream("pong"), upstream_takes_no_more,
                    upstream_resets},
                   {.client = switching + "pong",
                    .end = End::reset,
                    .upstreams = {{upgrade_forwarded + "ping", Fate::open}},
                    .statuses = {101}}});
  cases.push_back({"a silent tunnel is cut, not ended",
                   {client(upgrade), upstream(switching), deadline},
                   {.client = switching,
                    .end = End::reset,
                    .upstreams = {{upgrade_forwarded, Fate::open}},
                    .statuses = {101}}});
  cases.push_back({"an answer other than 101 is plain HTTP, and what followed is the next request",
                   {client(upgrade + get), upstream(ok), upstream(ok)},
                   {.client = ok + ok,
                    .upstreams = {{upgrade_forwarded,
                                   Fate::parked},
                                  {get_forwarded, Fate::parked}},
                    .statuses = {200, 200}}});
  cases.push_back(
      {"a 101 that nobody asked for",
       {client(get), upstream(switching), client_ends},
       {.client = kept(502), .end = End::closed, .upstreams = {{get_forwarded, Fate::cut}}, .statuses = {502}}});
  return cases;
}

}  // namespace baton::engine
