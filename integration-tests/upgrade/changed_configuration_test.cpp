// The configuration changes under live connections, by an upgrade and by a reload: what has begun ends as it began, and
// what follows obeys the new one.
#include <atomic>
#include <future>
#include <list>

#include "upgrade/changed.hpp"

namespace baton::harness {
namespace {

INSTANTIATE_TEST_SUITE_P(By, Changed, testing::Values(Way::upgrade, Way::reload), name_of);

// ── Listeners ─────────────────────────────────────────────────────────────────────────────────────────────────────

TEST_P(Changed, AListenerThatIsGoneLetsItsConnectionsEndInOrder) {
  Baton baton(with(listener("web", web) + listener("extra", extra), upstream("app", origin)));
  Client kept(web), idle(extra), partial(extra), waiting(extra), streaming(extra), websocket(extra);
  kept.get("/bytes/1");
  idle.get("/bytes/1");
  partial.send("GET /bytes/20 HTTP/1.1\r\nHo");
  EXPECT_EQ(websocket.get("/websocket", websocket_fields).status(), 101);
  waiting.send(get_request("/held"));
  streaming.send(get_request("/half/5000"));
  origin.gate().await_arrivals(2);
  baton.await_number("connections.head", 1);

  change(baton, with(listener("web", web), upstream("app", origin)));
  await([this] { return !is_listening(extra); }, "the address to be free");
  idle.send(get_request("/bytes/30"));
  expect_last_response(idle, 30);
  partial.send("st: a\r\n\r\n");
  expect_last_response(partial, 20);
  origin.gate().open();
  const Response held = waiting.response();
  EXPECT_EQ(held.body, "held");
  EXPECT_EQ(held.field("Connection"), "close");
  waiting.expect_fin();
  const Response streamed = streaming.response();
  EXPECT_EQ(streamed.body, pattern(5000));
  EXPECT_FALSE(streamed.field("Connection")) << "its head had gone out before";
  streaming.send(get_request("/bytes/40"));
  expect_last_response(streaming, 40);
  websocket.send("still here");
  EXPECT_EQ(websocket.read_exactly(10), "still here");
  EXPECT_FALSE(kept.get("/bytes/2").field("Connection"));
}

TEST_P(Changed, AListenerThatIsAddedServesBesideTheOthers) {
  Baton baton(with(listener("web", web), upstream("app", origin)));
  Client before(web);
  before.get("/bytes/1");
  change(baton, with(listener("web", web) + listener("extra", extra, ", protocol: tcp, upstream: app"),
                     upstream("app", origin)));
  EXPECT_EQ(Client(extra).get("/bytes/2").body, pattern(2));
  EXPECT_EQ(before.get("/bytes/3").body, pattern(3));
  EXPECT_EQ(Client(web).get("/bytes/4").body, pattern(4));
}

// HTTP stays HTTP, and tunnels stay tunnels; the listener's new connections are what it says now.
TEST_P(Changed, AListenersProtocolChangesForNewConnectionsOnly) {
  const Settings http = with(listener("web", web), upstream("app", origin));
  const Settings tcp = with(listener("web", web, ", protocol: tcp, upstream: app"), upstream("app", origin));
  const auto passes_by_http = [this](Client& client) {
    EXPECT_EQ(client.get("/bytes/5").body, pattern(5));
    return origin.last_request().field("X-Forwarded-For").has_value();
  };
  Baton baton(http);
  Client speaks_http(web), streaming(web), partial(web);
  EXPECT_TRUE(passes_by_http(speaks_http));
  streaming.send(get_request("/half/5000"));
  origin.gate().await_arrivals(1);
  partial.send("GET /bytes/6 HTTP/1.1\r\nHo");
  baton.await_number("connections.head", 1);

  change(baton, tcp);
  Client tunnel(web);
  EXPECT_FALSE(passes_by_http(tunnel));
  EXPECT_TRUE(passes_by_http(speaks_http));
  partial.send("st: a\r\n\r\n");
  EXPECT_EQ(partial.response().body, pattern(6));

  change(baton, http);
  Client late(web);
  EXPECT_TRUE(passes_by_http(late));
  EXPECT_FALSE(passes_by_http(tunnel));
  EXPECT_TRUE(passes_by_http(speaks_http));
  origin.gate().open();
  EXPECT_EQ(streaming.response().body, pattern(5000));
  EXPECT_TRUE(passes_by_http(streaming));
}

// ── Upstreams ─────────────────────────────────────────────────────────────────────────────────────────────────────

TEST_P(Changed, AnUpstreamThatIsGoneFinishesWhatIsOnIt) {
  Origin other;
  const auto both = [&](const std::string& name) {
    return listener("web", web) + listener("extra", extra, ", protocol: tcp, upstream: " + name);
  };
  Baton baton(with(both("app"), upstream("app", origin)));
  Client waiting(web), streaming(web), uploading(web), websocket(web), raw(extra);
  EXPECT_EQ(websocket.get("/websocket", websocket_fields).status(), 101);
  EXPECT_EQ(raw.get("/bytes/3").body, pattern(3));
  waiting.send(get_request("/held"));
  streaming.send(get_request("/half-chunked/5000"));
  const std::string upload = post_request("/count", pattern(10'000));
  uploading.send(std::string_view(upload).substr(0, 5000));
  origin.gate().await_arrivals(2);
  origin.await_requests(5);

  change(baton, with(both("new"), upstream("new", other)));
  origin.gate().open();
  EXPECT_EQ(waiting.response().body, "held");
  EXPECT_EQ(streaming.response().body, pattern(5000));
  uploading.send(std::string_view(upload).substr(5000));
  EXPECT_EQ(uploading.response().body, "10000 as sent");
  websocket.send("still here");
  EXPECT_EQ(websocket.read_exactly(10), "still here");
  EXPECT_EQ(raw.get("/bytes/4").body, pattern(4));
  EXPECT_EQ(other.accepted(), 0u) << "everything so far went to the old one";

  std::size_t requests = 0;
  for (Client* client : {&waiting, &streaming, &uploading}) {
    EXPECT_EQ(client->get("/bytes/2").body, pattern(2));
    EXPECT_EQ(other.requests().size(), ++requests);
  }
  EXPECT_EQ(Client(extra).get("/bytes/2").body, pattern(2));
  EXPECT_EQ(other.requests().size(), ++requests);
}

// ── Limits: none is applied to what a connection has already ──────────────────────────────────────────────────────

TEST_P(Changed, ASmallerHeadLimitRefusesNoHeadThatHasBegun) {
  Baton baton(with_limits("head_bytes: 8k"));
  const std::string request = get_request("/bytes/20", "X-Long: " + std::string(4000, 'x') + "\r\n");
  Client begun(web), queued(web);
  begun.send(std::string_view(request).substr(0, 3000));
  queued.send(get_request("/held") + request);
  origin.gate().await_arrivals(1);
  baton.await_number("connections.head", 1);

  change(baton, with_limits("head_bytes: 2k"));
  begun.send(std::string_view(request).substr(3000));
  EXPECT_EQ(begun.response().status(), 200);
  origin.gate().open();
  EXPECT_EQ(queued.response().body, "held");
  EXPECT_EQ(queued.response().status(), 200);
  EXPECT_EQ(begun.get("/bytes/1", "X-Long: " + std::string(3000, 'x') + "\r\n").status(), 431)
      << "the next one comes afterwards";
}

TEST_P(Changed, SmallerLimitsDoNotJudgeARequestAgainThatWasAccepted) {
  FullBacklog full;
  Settings before =
      with(listener("web", web),
           "  - { name: app, servers: [ { address: \"127.0.0.1:" + std::to_string(full.port()) + "\" } ] }\n");
  before.timeouts = "connect: 60s";
  Baton baton(before);
  std::string fields;
  for (int i = 0; i < 20; ++i) fields += "X-Field-" + std::to_string(i) + ": v\r\n";
  Client connecting(web);
  connecting.send(get_request("/bytes/20?" + std::string(100, 'q'), fields));
  baton.await_number("connections.exchange", 1);

  change(baton, with_limits("fields: 10, uri_bytes: 50, head_bytes: 1k"));
  EXPECT_EQ(connecting.response().body, pattern(20));
  EXPECT_EQ(origin.last_request().field("X-Field-19"), "v");
  EXPECT_EQ(Client(web).get("/bytes/20", fields).status(), 431);
}

TEST_P(Changed, ASmallerBodyLimitLetsUploadsThatHaveBegunFinish) {
  Baton baton(with_limits("body_bytes: 0"));
  Client by_length(web), by_chunks(web);
  const std::string body = pattern(10'000);
  const std::string request = post_request("/count", body);
  by_length.send(std::string_view(request).substr(0, 6000));
  by_chunks.send("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(body.substr(0, 6000)));
  origin.await_requests(2);

  change(baton, with_limits("body_bytes: 1000"));
  by_length.send(std::string_view(request).substr(6000));
  EXPECT_EQ(by_length.response().body, "10000 as sent");
  by_chunks.send(chunk(body.substr(6000)) + std::string(last_chunk));
  EXPECT_EQ(by_chunks.response().body, "10000 as sent");
  EXPECT_EQ(by_length.post("/count", body).status(), 413) << "the next one comes afterwards";
}

TEST_P(Changed, ASmallerBufferKeepsWhatWaitsInTheLargerOne) {
  origin.on("/late", [](Exchange& exchange) {
    exchange.origin.gate().pass();
    exchange.read_body();
    exchange.respond(exchange.request.body == pattern(exchange.request.body.size()) ? "as sent" : "changed");
  });
  Baton baton(with_limits("buffer_bytes: 4m"));
  const std::string body = pattern(30'000'000);
  Client slow(web), uploading(web);
  slow.send(get_request("/bytes/30000000"));
  std::atomic<std::size_t> sent = 0;
  auto sending = std::async(std::launch::async, [&] {
    uploading.send(post_request("/late", body));
    ++sent;
  });
  origin.gate().await_arrivals(1);
  await_standstill([this] { return origin.bytes_sent(); }, "the origin to be held up");
  await_standstill([&] { return uploading.bytes_sent(); }, "the upload to be held up");
  EXPECT_EQ(sent, 0u) << "the upload is in the middle of its body";

  change(baton, with_limits("buffer_bytes: 4k"));
  EXPECT_TRUE(slow.response().body == body);
  origin.gate().open();
  EXPECT_EQ(uploading.response().body, "as sent");
  sending.get();
}

TEST_P(Changed, ALimitOfConnectionsBelowTheirNumberClosesNone) {
  Baton baton(with_limits("connections: 10"));
  std::list<Client> clients;
  for (int i = 0; i < 5; ++i) clients.emplace_back(web).get("/bytes/1");
  Client& held = clients.emplace_back(web);
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  change(baton, with_limits("connections: 2"));  // an upgrade moves the held one when there are five already
  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
  for (Client& client : clients) EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
  Client late(web);
  late.send(get_request("/bytes/3"));
  baton.await_log(log_lines::accepting_pauses);
  while (clients.size() > 1) clients.pop_back();
  EXPECT_EQ(late.response().body, pattern(3));
  EXPECT_EQ(clients.front().get("/bytes/4").body, pattern(4));
}

TEST_P(Changed, ALimitOfRequestsBelowTheirNumberMakesTheNextTheLast) {
  Baton baton(with_limits("requests_per_connection: 100"));
  Client client(web);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(client.get("/bytes/1").field("Connection"));
  change(baton, with_limits("requests_per_connection: 3"));
  client.send(get_request("/bytes/2"));
  expect_last_response(client, 2);
}

// ── Timeouts: they run on, with their new lengths, from where they began ──────────────────────────────────────────

TEST_P(Changed, ShorterTimeoutsHoldForConnectionsThatAreThere) {
  Baton baton(with_timeouts("idle: 10m, head: 10m, response: 10m, tunnel_idle: 10m, body: 10m"));
  Client idle(web), partial(web), waiting(web), uploading(web), websocket(web);
  idle.get("/bytes/1");
  EXPECT_EQ(websocket.get("/websocket", websocket_fields).status(), 101);
  partial.send("GET / HT");
  waiting.send(get_request("/held"));
  uploading.send(post_request("/count", pattern(1000)).substr(0, 500));
  origin.gate().await_arrivals(1);
  baton.await_number("connections.head", 1);
  baton.await_number("connections.exchange", 2);

  change(baton, with_timeouts("idle: 300ms, head: 300ms, response: 300ms, tunnel_idle: 1s, body: 300ms"));
  idle.expect_fin();
  EXPECT_EQ(partial.response().status(), 408);
  EXPECT_EQ(waiting.response().status(), 504);
  EXPECT_EQ(uploading.response().status(), 408);
  std::string rest;
  EXPECT_EQ(websocket.read_to_end(rest), End::reset) << "neither side has said that it has ended";
  EXPECT_EQ(rest, "");
}

}  // namespace
}  // namespace baton::harness
