// Answers of our own, and the requests that follow them on the same connection.
#include "proxy/engine/testing/exchange_cases.hpp"

namespace baton::engine {

using End = Seen::End;
using Fate = Seen::Upstream::Fate;

namespace {

const Seen::Upstream got{forwarded("GET / HTTP/1.1"), Fate::parked};
const Seen::Upstream got_by_route{forwarded("GET / HTTP/1.1"), Fate::parked, "app"};

// Only "/" has a route.
const routing::RouteTable& only_the_root() {
  static const routing::RouteTable table = [] {
    config::Config config;
    config.upstreams.push_back({.name = "app", .servers = {}, .tls = {}});
    config.routes.push_back({.name = "app", .match = {.path = "/"}, .upstream = "app", .where = {}});
    return routing::RouteTable(config);
  }();
  return table;
}

void route(Dialogue& dialogue) {
  dialogue.routes = &only_the_root();
}

// A request without a route, and a second one on the same connection.
Case and_next(std::string name, std::string first, std::string answer, std::string rest = "") {
  return {std::move(name),
          {client(std::move(first)), client(std::move(rest) + get), upstream(ok)},
          {.client = std::move(answer) + ok, .upstreams = {got_by_route}, .statuses = {404, 200}},
          route};
}

// The same where the answer is the last on the connection.
Case and_no_more(std::string name, std::string first, std::string answer, Script rest = {client_ends}) {
  Case one{std::move(name),
           {client(std::move(first))},
           {.client = std::move(answer), .client_ended = true, .end = End::closed, .statuses = {404}},
           route};
  one.script.insert(one.script.end(), rest.begin(), rest.end());
  return one;
}

void cases_without_a_route(std::vector<Case>& cases) {
  cases.push_back(and_next("a 404, and the connection goes on", request("GET /none HTTP/1.1"), kept(404)));
  cases.push_back(and_next("a 404 to HEAD has no body", request("HEAD /none HTTP/1.1"), kept(404, true)));
  cases.push_back(and_next("a 404 for HTTP/1.0 announces that the connection goes on",
                           request("GET /none HTTP/1.0", "Connection: keep-alive\r\n"), kept(404, false, true)));
  cases.push_back({"pipelined requests, with and without a route",
                   {client(request("GET /none HTTP/1.1") + get + request("GET /none HTTP/1.1")), upstream(ok)},
                   {.client = kept(404) + ok + kept(404), .upstreams = {got_by_route}, .statuses = {404, 200, 404}},
                   route});
  const std::string put = request("PUT /none HTTP/1.1", "Content-Length: 9\r\n");
  cases.push_back(and_next("a body that came with its head", put + "hellomore", kept(404)));
  cases.push_back(and_next("a body that comes after the answer", put + "hel", kept(404), "lomore"));
  const std::string post = request("POST /none HTTP/1.1", chunked_fields);
  cases.push_back(and_next("chunks and trailers after the answer", post + "5;a=b\r\nhel", kept(404),
                           "lo\r\n1\r\nx\r\n0\r\nA: GET\r\n\r\n"));
  cases.push_back(and_no_more("a 404 for HTTP/1.0", request("GET /none HTTP/1.0"), own(404), {}));
  cases.back().expected.client_ended = false;  // it asked for the close, so it can follow at once
  cases.push_back(and_no_more("chunks that are none after the answer", post + "5\r\nhello\r\n", kept(404),
                              {client("x\r\n\r\n"), client_ends}));
  cases.push_back(and_no_more("trailers that are none after the answer", post + "0\r\n", kept(404),
                              {client("bad trailer\r\n\r\n"), client_ends}));
  cases.push_back(and_no_more("a client that ends within its body", put + "hello", kept(404)));
  cases.push_back(and_no_more("a client that never sends the rest", put + "hello", kept(404), {deadline}));
  cases.back().expected.client_ended = false;
  cases.push_back(and_no_more("a client that waits for a 100 gets the final status",
                              request("PUT /none HTTP/1.1", "Content-Length: 9\r\nExpect: 100-continue\r\n"),
                              own(404)));
  cases.push_back(and_no_more("more of a body than is worth reading",
                              request("PUT /none HTTP/1.1", "Content-Length: 1000000\r\n") + "hello", own(404)));
  Case last = and_no_more("a last request", request("GET /none HTTP/1.1"), own(404));
  last.prepare = [](Dialogue& dialogue) {
    route(dialogue);
    dialogue.rules.requests_per_connection = 1;
  };
  cases.push_back(last);
  Case large = and_no_more("chunks beyond the limit of bodies", post + "5\r\nhello\r\n", kept(404),
                           {client("5\r\nworld\r\n"), client_ends});
  large.prepare = [](Dialogue& dialogue) {
    route(dialogue);
    dialogue.rules.body_bytes = 8;
  };
  cases.push_back(large);
}

void cases_without_a_server(std::vector<Case>& cases) {
  const auto attempts = [](std::deque<Attempt> made) {
    return [made](Dialogue& dialogue) { dialogue.attempts = made; };
  };
  cases.push_back({"no server, and one for the next request",
                   {client(get), client(get), upstream(ok)},
                   {.client = kept(502) + ok, .upstreams = {got}, .statuses = {502, 200}},
                   attempts({Attempt::refused})});
  const std::string put = request("PUT / HTTP/1.1", "Content-Length: 9\r\n");
  const std::string put_forwarded = forwarded("PUT / HTTP/1.1", "Content-Length: 9\r\n");
  cases.push_back(
      {"a server that is lost within a body, whose rest is not the next request",
       {client(put + "hello"), upstream_resets, client("more" + get), upstream(ok)},
       {.client = kept(502) + ok, .upstreams = {{put_forwarded + "hello", Fate::cut}, got}, .statuses = {502, 200}}});
  cases.push_back(
      {"a stale connection, and no server for the second attempt",
       {client(put + "hello"), upstream_resets, client("more" + get), upstream(ok)},
       {.client = kept(502) + ok, .upstreams = {{put_forwarded + "hello", Fate::cut}, got}, .statuses = {502, 200}},
       attempts({Attempt::pooled, Attempt::refused})});
  cases.push_back({"no response in time, and one for the next request",
                   {client(get), deadline, client(get), upstream(ok)},
                   {.client = kept(504) + ok,
                    .upstreams = {{forwarded("GET / HTTP/1.1"), Fate::cut}, got},
                    .statuses = {504, 200}}});
}

}  // namespace

std::vector<Case> cases_of_answering() {
  std::vector<Case> cases;
  cases_without_a_route(cases);
  cases_without_a_server(cases);
  return cases;
}

}  // namespace baton::engine
