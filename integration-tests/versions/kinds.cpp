#include "kinds.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "http2_kind.hpp"

namespace baton::versions {

using namespace harness;
using clients::Kind;

namespace {

const std::string body = body_of_kinds();
const std::string first_part = body.substr(0, passed_bytes);
const std::string second_part = body.substr(passed_bytes);
const std::string upload = post_request("/upload", body);
const std::string events_head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

std::vector<int> numbers_of(const std::string& version) {
  std::vector<int> numbers;
  std::istringstream in(version);
  for (std::string part; std::getline(in, part, '.');) numbers.push_back(std::stoi(part));
  return numbers;
}

bool is_before(const std::string& version, const std::string& other) {
  if (version == unreleased || other == unreleased) return version != unreleased;
  return numbers_of(version) < numbers_of(other);
}

std::vector<ConnectionKind> make_kinds() {
  std::vector<ConnectionKind> all;
  all.push_back({.kind = Kind::half_head, .said = "GET /bytes/30 HTTP/1.1\r\nHo", .go_on = [](Client& client) {
                   client.send("st: a\r\n\r\n");
                   EXPECT_EQ(client.response().body, pattern(30));
                 }});
  all.push_back({.kind = Kind::upload,
                 .arrivals = 1,
                 .said = upload.substr(0, upload.size() - second_part.size()),
                 .go_on = [](Client& client) {
                   client.send(second_part);
                   EXPECT_EQ(client.response().body, "as sent");
                   EXPECT_EQ(client.get("/bytes/5").body, pattern(5));
                 }});
  all.push_back({.kind = Kind::download,
                 .arrivals = 1,
                 .said = get_request("/download"),
                 .heard_through = end_of_passed(),
                 .go_on = [](Client& client) {
                   const std::string rest = second_part + "\r\n" + std::string(last_chunk);
                   EXPECT_EQ(client.read_exactly(rest.size()), rest);
                   EXPECT_EQ(client.get("/bytes/6").body, pattern(6));
                 }});
  all.push_back({.kind = Kind::events,
                 .arrivals = 1,
                 .said = get_request("/events"),
                 .heard_through = "data: 1\n\n",
                 .go_on = [](Client& client) { EXPECT_EQ(client.read_to_fin(), "data: 2\n\n"); }});
  all.push_back({.kind = Kind::websocket,
                 .said = get_request("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
                 .heard_through = "\r\n\r\n",
                 .go_on = [](Client& client) {
                   client.send("ping");
                   EXPECT_EQ(client.read_exactly(4), "ping");
                   client.half_close();
                   client.expect_fin();
                 }});
  all.push_back({.kind = Kind::raw_tcp,
                 .said = get_request("/bytes/10"),
                 .heard_through = pattern(10),
                 .go_on = [](Client& client) { EXPECT_EQ(client.get("/bytes/7").body, pattern(7)); }});
  all.push_back({.kind = Kind::half_closed_by_client,
                 .arrivals = 1,
                 .half_closed = true,
                 .said = get_request("/until-fin") + "last words",
                 .go_on = [](Client& client) {
                   EXPECT_EQ(client.response().body, "last words");
                   client.expect_fin();
                 }});
  all.push_back(http2_kind());
  all.push_back(http2_to_http2_kind());
  all.push_back(http1_to_http2_kind());
  // It comes last, so that its upstream connection stays in the pool.
  all.push_back(
      {.kind = Kind::idle, .said = get_request("/bytes/10"), .heard_through = pattern(10), .go_on = [](Client& client) {
         EXPECT_EQ(client.get("/bytes/20").body, pattern(20));
       }});
  return all;
}

void take_upload(Exchange& exchange) {
  std::string got = exchange.stream.read_exactly(first_part.size());
  exchange.origin.gate().pass();
  got += exchange.stream.read_exactly(second_part.size());
  exchange.body_read = true;
  exchange.respond(got == body ? "as sent" : "changed");
}

void give_download(Exchange& exchange) {
  exchange.stream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + first_part);
  exchange.origin.gate().pass();
  exchange.stream.send(second_part + "\r\n" + std::string(last_chunk));
}

void give_events(Exchange& exchange) {
  exchange.stream.send(events_head + "data: 1\n\n");
  exchange.origin.gate().pass();
  exchange.stream.send("data: 2\n\n");
  exchange.close = true;
}

void answer_after_fin(Exchange& exchange) {
  const std::string said = exchange.stream.read_to_fin();
  exchange.origin.gate().pass();
  exchange.respond(said);
  exchange.close = true;
}

Kind kind_of(const state::ConnectionState& state) {
  if (state.http2() != nullptr) return Kind::http2;
  if (state.listener == "raw") return state.client.read_ended ? Kind::half_closed_by_client : Kind::raw_tcp;
  const auto* http1 = std::get_if<state::Http1>(&state.protocol);
  if (http1 == nullptr) return Kind::websocket;
  if (!state.exchange && std::holds_alternative<state::AwaitingRequest>(http1->phase)) {
    return state.client.unread.empty() ? Kind::idle : Kind::half_head;
  }
  const auto* relaying = state.exchange ? std::get_if<state::Relaying>(&state.exchange->phase) : nullptr;
  if (relaying == nullptr) throw Failure("a state of no kind");
  if (!std::holds_alternative<state::NoBody>(state.exchange->request.body)) return Kind::upload;
  const auto* relayed = std::get_if<state::ResponseRelayed>(&relaying->response);
  if (relayed == nullptr) throw Failure("an exchange of no kind");
  // What comes by HTTP/2 ends with its stream, whatever its length.
  return std::holds_alternative<state::UntilClose>(relayed->body) && !state.carriers ? Kind::events : Kind::download;
}

std::string name_of(Kind kind, bool to_http2) {
  return clients::name_of(kind) + (to_http2 ? " to a server of HTTP/2" : "");
}

}  // namespace

const std::string& body_of_kinds() {
  static const std::string bytes = pattern(1000);
  return bytes;
}

std::string end_of_passed() {
  return body_of_kinds().substr(passed_bytes - 100, 100);
}

std::string ConnectionKind::name() const {
  return name_of(kind, to_http2);
}

std::string name_of(const state::ConnectionState& state) {
  return name_of(kind_of(state), static_cast<bool>(state.carriers));
}

std::vector<ConnectionKind> kinds_of(const std::string& version) {
  std::vector<ConnectionKind> known = make_kinds();
  std::erase_if(known, [&](const ConnectionKind& one) { return is_before(version, one.since); });
  return known;
}

Servers::Servers() {
  origin.on("/upload", take_upload);
  origin.on("/download", give_download);
  origin.on("/events", give_events);
  origin.on("/until-fin", answer_after_fin);
}

Settings settings_for_every_kind(const Servers& servers, const Address& web, const Address& raw) {
  const auto upstream = [](const std::string& name, const Address& server, const std::string& more = "") {
    return "  - { name: " + name + more + ", servers: [ { address: \"" + server.text() + "\" } ] }\n";
  };
  Settings settings(servers.origin.address());
  settings.binds = {web};
  settings.topology =
      "listeners:\n"
      "  - { name: web, bind: \"" +
      web.text() +
      "\" }\n"
      "  - { name: raw, bind: \"" +
      raw.text() +
      "\", protocol: tcp, upstream: app }\n"
      "upstreams:\n" +
      upstream("app", servers.origin.address()) + upstream("streams", servers.http2.address(), ", protocol: http2") +
      upstream("pooled", servers.http2.address(), ", protocol: http2") +
      "routes:\n"
      "  - { match: { path_prefix: /streams }, upstream: streams }\n"
      "  - { match: { path_prefix: /pooled }, upstream: pooled }\n"
      "  - { upstream: app }\n";
  settings.own_binary = true;
  settings.log = "access: { path: \"-\", format: json }";  // the record of a connection moves too
  settings.workers = 1;
  settings.handoff += ", finish_timeout: 100ms";
  return settings;
}

EveryKind::EveryKind(const std::string& version, Origin& origin, const Address& web, const Address& raw,
                     const Serve& serve)
    : kinds_(kinds_of(version)), origin_(origin) {
  int arrivals = 0;
  for (const ConnectionKind& kind : kinds_) {
    Client& client = clients_.emplace_back(kind.is_raw() ? raw : web);
    client.send(kind.said);
    if (kind.half_closed) client.half_close();
    if (serve) serve(kind, client);
    if (!kind.heard_through.empty()) client.read_through(kind.heard_through);
    arrivals += kind.arrivals;
  }
  origin.gate().await_arrivals(arrivals);
}

void EveryKind::go_on() {
  origin_.gate().open();
  for (const ConnectionKind& kind : kinds_) {
    SCOPED_TRACE(kind.name());
    kind.go_on(client(kind.name()));
  }
}

Client& EveryKind::client(const std::string& name) {
  auto at = clients_.begin();
  for (const ConnectionKind& kind : kinds_) {
    if (kind.name() == name) return *at;
    ++at;
  }
  throw Failure("there is no client of the kind " + name);
}

}  // namespace baton::versions
