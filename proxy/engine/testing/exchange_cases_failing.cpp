// Failures on either side, and what each side sees of them.
#include "proxy/engine/testing/exchange_cases.hpp"

namespace baton::engine {

using End = Seen::End;
using Fate = Seen::Upstream::Fate;

namespace {

// Refused before any server is contacted.
Case refused(std::string name, std::string raw, std::uint16_t status, bool head_only = false) {
  return {std::move(name),
          {client(std::move(raw)), client_ends},
          {.client = own(status, head_only), .client_ended = true, .end = End::closed, .statuses = {status}}};
}

// The upstream answers a GET with an invalid response.
Case bad_response(std::string name, Script upstream_steps) {
  Case bad{std::move(name),
           {client(get)},
           {.client = kept(502),

            .end = End::closed,
            .upstreams = {{get_forwarded, Fate::cut}},
            .statuses = {502}}};
  bad.script.insert(bad.script.end(), upstream_steps.begin(), upstream_steps.end());
  bad.script.push_back(client_ends);
  return bad;
}

void cases_of_requests(std::vector<Case>& cases) {
  cases.push_back(refused("a head that is none", "nonsense\r\n\r\n", 400));
  cases.push_back(refused("a bare line feed", "GET / HTTP/1.1\nHost: a\n\n", 400));
  cases.push_back(refused("no host", "GET / HTTP/1.1\r\n\r\n", 400));
  cases.push_back(refused("CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 405));
  cases.push_back(refused("an expectation that nobody knows",
                          request("PUT / HTTP/1.1", "Content-Length: 1\r\nExpect: x\r\n"), 417));
  cases.push_back(refused("a transfer coding that nobody knows",
                          request("PUT / HTTP/1.1", "Transfer-Encoding: gzip\r\n"), 501));
  cases.push_back(refused("a version that is none of ours", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505));
  cases.push_back(refused("a bad HEAD is answered without a body", "HEAD / HTTP/1.1\r\n\r\n", 400, true));

  Case long_uri = refused("a long target", "GET /" + std::string(64, 'u') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414);
  long_uri.prepare = [](Dialogue& dialogue) { dialogue.rules.uri_bytes = 32; };
  cases.push_back(long_uri);
  Case long_line = refused("a request line beyond a head", "GET /" + std::string(300, 'u') + "\r\n\r\n", 414);
  long_line.prepare = [](Dialogue& dialogue) { dialogue.rules.head_bytes = 128; };
  cases.push_back(long_line);
  Case long_head = refused("a long head", request("GET / HTTP/1.1", "A: " + std::string(200, 'a') + "\r\n"), 431);
  long_head.prepare = [](Dialogue& dialogue) { dialogue.rules.head_bytes = 128; };
  cases.push_back(long_head);
  Case fields = refused("many fields", request("GET / HTTP/1.1", "A: 1\r\nB: 2\r\nC: 3\r\n"), 431);
  fields.prepare = [](Dialogue& dialogue) { dialogue.rules.fields = 3; };
  cases.push_back(fields);
  Case large = refused("a body announced as too large", request("PUT / HTTP/1.1", "Content-Length: 9\r\n"), 413);
  large.prepare = [](Dialogue& dialogue) { dialogue.rules.body_bytes = 8; };
  cases.push_back(large);

  const std::string chunked = request("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\n");
  cases.push_back({"a body that grows too large",
                   {client(chunked + "5\r\nhello\r\n4\r\nmore\r\n0\r\n\r\n"), client_ends},
                   {.client = own(413), .client_ended = true, .end = End::closed, .upstreams = {{"", Fate::cut}},
                    .statuses = {413}},
                   [](Dialogue& dialogue) { dialogue.rules.body_bytes = 8; },
                   true});
  cases.push_back({"chunks that are none",
                   {client(chunked + "5\r\nhello\r\nx\r\n\r\n"), client_ends},
                   {.client = own(400), .client_ended = true, .end = End::closed, .upstreams = {{"", Fate::cut}},
                    .statuses = {400}},
                   [](Dialogue&) {},
                   true});
  for (const char* line : {"5;", "5;bad[=x", "5;a=\"x", "5 "}) {
    cases.push_back({std::string("a chunk line that is none: ") + line,
                     {client(chunked + line + "\r\nhello\r\n0\r\n\r\n"), client_ends},
                     {.client = own(400), .client_ended = true, .end = End::closed, .upstreams = {{"", Fate::cut}},
                      .statuses = {400}},
                     [](Dialogue&) {},
                     true});
  }
  cases.push_back({"blanks and an extension of a stale attempt go again",
                   {client(request("PUT / HTTP/1.1", "Transfer-Encoding: chunked\r\n") + "5 ;a\r\nhello\r\n0\r\n\r\n"),
                    upstream_resets, upstream(ok)},
                   {.client = ok,
                    .upstreams = {{forwarded("PUT / HTTP/1.1", "Transfer-Encoding: chunked\r\n") +
                                       "5;a\r\nhello\r\n0\r\n\r\n", Fate::cut},
                                  {forwarded("PUT / HTTP/1.1", "Transfer-Encoding: chunked\r\n") +
                                       "5;a\r\nhello\r\n0\r\n\r\n", Fate::parked}},
                    .statuses = {200}},
                   [](Dialogue& dialogue) { dialogue.attempts = {Attempt::pooled, Attempt::fresh}; }});
  cases.push_back({"trailers that are none",
                   {client(chunked + "0\r\nbad trailer\r\n\r\n"), client_ends},
                   {.client = own(400), .client_ended = true, .end = End::closed, .upstreams = {{"", Fate::cut}},
                    .statuses = {400}},
                   [](Dialogue&) {},
                   true});
  cases.push_back({"a body whose client resets",
                   {client(request("PUT / HTTP/1.1", "Content-Length: 9\r\n") + "hello"), client_resets},
                   {.end = End::reset,
                    .upstreams = {{forwarded("PUT / HTTP/1.1", "Content-Length: 9\r\n") + "hello", Fate::open}},
                    .statuses = {0}}});
  cases.push_back({"a body that ends too early",
                   {client(request("PUT / HTTP/1.1", "Content-Length: 9\r\n") + "hello"), client_ends},
                   {.client = own(400), .client_ended = true, .end = End::closed,
                    .upstreams = {{forwarded("PUT / HTTP/1.1", "Content-Length: 9\r\n") + "hello", Fate::cut}},
                    .statuses = {400}}});
}

void cases_of_responses(std::vector<Case>& cases) {
  cases.push_back(bad_response("a response head that is none", {upstream("HTTP/2 200\r\n\r\n")}));
  cases.push_back(bad_response("a response with two lengths",
                               {upstream("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")}));
  cases.push_back(bad_response("half a response head", {upstream("HTTP/1.1 200 OK\r\nA: "), upstream_ends}));
  cases.push_back(bad_response("no response", {upstream_ends}));
  cases.push_back(bad_response("a reset instead of a response", {upstream_resets}));
  Case long_head = bad_response("a long response head",
                                {upstream("HTTP/1.1 200 OK\r\nA: " + std::string(300, 'a') + "\r\n\r\n")});
  long_head.prepare = [](Dialogue& dialogue) { dialogue.rules.head_bytes = 256; };
  cases.push_back(long_head);

  const auto broken = [](std::string name, std::string head, std::string body, Step end) {
    return Case{std::move(name),
                {client(get), upstream(head + body), std::move(end)},
                {.client = head + body, .end = End::reset, .upstreams = {{get_forwarded, Fate::open}},
                 .statuses = {200}}};
  };
  cases.push_back(broken("a body that ends too early resets the client",
                         "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "hello", upstream_ends));
  cases.push_back(broken("chunks that end too early reset the client",
                         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r\nhel", upstream_ends));
  cases.push_back(broken("a body until close that is reset is no whole one",
                         "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", "hello", upstream_resets));
}

void cases_of_attempts(std::vector<Case>& cases) {
  const auto attempts = [](std::deque<Attempt> made, unsigned servers = 1) {
    return [made, servers](Dialogue& dialogue) {
      dialogue.attempts = made;
      dialogue.servers = servers;
    };
  };
  cases.push_back({"no server",
                   {client(get), client_ends},
                   {.client = kept(502), .end = End::closed, .statuses = {502}},
                   attempts({Attempt::refused, Attempt::fresh})});
  cases.push_back({"a server that cannot be reached in time",
                   {client(get), client_ends},
                   {.client = kept(504), .end = End::closed, .statuses = {504}},
                   attempts({Attempt::timed_out, Attempt::fresh})});
  cases.push_back({"the third server is up", {client(get), upstream(ok)},
                   {.client = ok, .upstreams = {{get_forwarded, Fate::parked}}, .statuses = {200}},
                   attempts({Attempt::refused, Attempt::timed_out, Attempt::fresh}, 3)});
  cases.push_back({"a connect that takes its time", {client(get), connected, upstream(ok)},
                   {.client = ok, .upstreams = {{get_forwarded, Fate::parked}}, .statuses = {200}},
                   attempts({Attempt::late})});
  for (const Step& end : {upstream_ends, upstream_resets}) {
    cases.push_back({"a stale connection: the request goes again", {client(get), end, upstream(ok)},
                     {.client = ok, .upstreams = {{get_forwarded, Fate::cut}, {get_forwarded, Fate::parked}},
                      .statuses = {200}},
                     attempts({Attempt::pooled, Attempt::fresh})});
  }
  const std::string put = request("PUT / HTTP/1.1", "Content-Length: 9\r\n");
  const std::string put_forwarded = forwarded("PUT / HTTP/1.1", "Content-Length: 9\r\n");
  cases.push_back({"a stale connection: what was sent of the body goes again",
                   {client(put + "hello"), upstream_resets, client("more" + get), upstream(ok), upstream(ok)},
                   {.client = ok + ok,
                    .upstreams = {{put_forwarded + "hello", Fate::cut},
                                  {put_forwarded + "hellomore", Fate::parked},
                                  {get_forwarded, Fate::parked}},
                    .statuses = {200, 200}},
                   attempts({Attempt::pooled, Attempt::fresh})});
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  cases.push_back({"a stale connection: chunks and trailers go again",
                   {client(request("PUT / HTTP/1.1", chunked) + "5\r\nhello\r\n0\r\nA: 1\r\n\r\n"), upstream_ends,
                    upstream(ok)},
                   {.client = ok,
                    .upstreams = {{forwarded("PUT / HTTP/1.1", chunked) + "5\r\nhello\r\n0\r\nA: 1\r\n\r\n",
                                   Fate::cut},
                                  {forwarded("PUT / HTTP/1.1", chunked) + "5\r\nhello\r\n0\r\nA: 1\r\n\r\n",
                                   Fate::parked}},
                    .statuses = {200}},
                   attempts({Attempt::pooled, Attempt::fresh})});
  cases.push_back({"more of a body than is kept: it does not go again",
                   {client(put + "hellomore"), upstream_resets, client_ends},
                   {.client = kept(502),
                    .end = End::closed,
                    .upstreams = {{put_forwarded + "hellomore", Fate::cut}},
                    .statuses = {502}},
                   [](Dialogue& dialogue) {
                     dialogue.attempts = {Attempt::pooled};
                     dialogue.rules.buffer_bytes = 50;
                   }});
  cases.push_back({"what must not be sent twice is not",
                   {client(request("POST / HTTP/1.1", "Content-Length: 1\r\n") + "x"), upstream_resets, client_ends},
                   {.client = kept(502),
                    .end = End::closed,
                    .upstreams = {{forwarded("POST / HTTP/1.1", "Content-Length: 1\r\n") + "x", Fate::cut}},
                    .statuses = {502}},
                   attempts({Attempt::pooled, Attempt::fresh})});
  cases.push_back({"a fresh connection that is lost: one attempt for each server",
                   {client(get), upstream_resets, upstream_ends, client_ends},
                   {.client = kept(502),
                    .end = End::closed,
                    .upstreams = {{get_forwarded, Fate::cut}, {get_forwarded, Fate::cut}},
                    .statuses = {502}},
                   attempts({}, 2)});
  cases.push_back({"a connection on which something else came first is stale: the request goes again",
                   {client(get), upstream("<"), upstream(ok)},
                   {.client = ok, .upstreams = {{get_forwarded, Fate::cut}, {get_forwarded, Fate::parked}},
                    .statuses = {200}},
                   attempts({Attempt::pooled, Attempt::fresh})});
  cases.push_back({"a connection on which something else came first, and what must not be sent twice",
                   {client(request("POST / HTTP/1.1", "Content-Length: 1\r\n") + "x"), upstream("<"), client_ends},
                   {.client = kept(502),
                    .end = End::closed,
                    .upstreams = {{forwarded("POST / HTTP/1.1", "Content-Length: 1\r\n") + "x", Fate::cut}},
                    .statuses = {502}},
                   attempts({Attempt::pooled, Attempt::fresh})});
  cases.push_back(
      {"a server that answers nonsense on a fresh connection is not stale",
       {client(get), upstream("<"), client_ends},
       {.client = kept(502), .end = End::closed, .upstreams = {{get_forwarded, Fate::cut}}, .statuses = {502}},
       attempts({}, 2)});
  cases.push_back(
      {"a connection that breaks within a response head was not stale",
       {client(get), upstream("HTTP/1.1 2"), upstream_resets, client_ends},
       {.client = kept(502), .end = End::closed, .upstreams = {{get_forwarded, Fate::cut}}, .statuses = {502}},
       attempts({Attempt::pooled, Attempt::fresh})});
  cases.push_back({"after an interim response nothing goes again",
                   {client(get), upstream("HTTP/1.1 102 Processing\r\n\r\n"), upstream_resets, client_ends},
                   {.client = "HTTP/1.1 102 Processing\r\n\r\n" + kept(502),
                    .end = End::closed,
                    .upstreams = {{get_forwarded, Fate::cut}},
                    .statuses = {502}},
                   attempts({Attempt::pooled, Attempt::fresh})});
}

void cases_of_lateness(std::vector<Case>& cases) {
  cases.push_back({"an idle client", {client(get), upstream(ok), deadline},
                   {.client = ok, .end = End::closed, .upstreams = {{get_forwarded, Fate::parked}},
                    .statuses = {200}}});
  cases.push_back({"half a head, and no more", {client("GET / HTTP/1.1\r\nHos"), deadline, client_ends},
                   {.client = own(408), .client_ended = true, .end = End::closed, .statuses = {408}}});
  const std::string put = request("PUT / HTTP/1.1", "Content-Length: 9\r\n");
  cases.push_back({"half a body, and no more", {client(put + "hello"), deadline, client_ends},
                   {.client = own(408), .client_ended = true, .end = End::closed,
                    .upstreams = {{forwarded("PUT / HTTP/1.1", "Content-Length: 9\r\n") + "hello", Fate::cut}},
                    .statuses = {408}}});
  cases.push_back(
      {"no response in time",
       {client(get), deadline, client_ends},
       {.client = kept(504), .end = End::closed, .upstreams = {{get_forwarded, Fate::cut}}, .statuses = {504}}});
  cases.push_back({"half a response, and no more",
                   {client(get), upstream("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"), deadline},
                   {.client = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", .end = End::reset,
                    .upstreams = {{get_forwarded, Fate::open}}, .statuses = {200}}});
  cases.push_back({"a client that never leaves after its answer", {client("nonsense\r\n\r\n"), deadline},
                   {.client = own(400), .client_ended = true, .end = End::closed, .statuses = {400}}});
}

}  // namespace

std::vector<Case> cases_of_failing() {
  std::vector<Case> cases;
  cases_of_requests(cases);
  cases_of_responses(cases);
  cases_of_attempts(cases);
  cases_of_lateness(cases);
  return cases;
}

}  // namespace baton::engine
