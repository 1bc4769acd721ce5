#include "scale/habits.hpp"

#include <algorithm>
#include <vector>

#include "clients/events.hpp"
#include "scale/http2_habit.hpp"

namespace baton::harness::habits {

namespace {

constexpr std::size_t everything_bytes = 12'000'000;
constexpr const char* upgrade_fields = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
constexpr const char* events_target = "/events";
constexpr const char* events_head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
constexpr std::chrono::milliseconds beat{4};

// A shorter `pattern` is a prefix of this.
const std::string& everything() {
  static const std::string bytes = pattern(everything_bytes);
  return bytes;
}

std::string_view beginning(std::size_t bytes) {
  return std::string_view(everything()).substr(0, bytes);
}

// The origin keeps only smaller bodies than these in its recorded requests.
std::size_t much(Life& life) {
  return 1'100'000 + life.any(1'500'000);
}

std::string in_chunks(std::string_view body, Life& life) {
  std::string wire;
  while (!body.empty()) {
    const std::size_t size = std::min(body.size(), 1 + life.any(body.size() > 100'000 ? 50'000 : 2'000));
    wire += chunk(body.substr(0, size));
    body.remove_prefix(size);
  }
  return wire + std::string(last_chunk);
}

std::string chunked_upload(std::string_view body, Life& life) {
  return "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + in_chunks(body, life);
}

struct Question {
  std::string wire;
  std::string body;  // of the answer
};

Question any_question(Life& life, std::size_t bytes) {
  const std::string path_end = "/" + std::to_string(bytes);
  const std::string_view body = beginning(bytes);
  const std::string counted = std::to_string(bytes) + " as sent";
  switch (life.any(4)) {
    case 0:
      return {get_request("/bytes" + path_end), std::string(body)};
    case 1:
      return {get_request("/chunked" + path_end), std::string(body)};
    case 2:
      return {post_request("/count", body), counted};
    default:
      return {chunked_upload(body, life), counted};
  }
}

// Cut anywhere, sometimes with a pause in which an upgrade may begin.
void send_in_pieces(Client& client, std::string_view wire, Life& life) {
  while (!wire.empty()) {
    const std::size_t size = std::min(wire.size(), 1 + life.any(life.one_in(2) ? 40 : wire.size()));
    client.send(wire.substr(0, size));
    wire.remove_prefix(size);
    if (life.one_in(4)) life.linger_at_most(8);
  }
}

void expect_same(std::string_view got, std::string_view wanted, const std::string& what, Life& life) {
  if (got != wanted) {
    const auto differs = std::mismatch(got.begin(), got.end(), wanted.begin(), wanted.end()).first;
    throw Failure(what + ": " + std::to_string(got.size()) + " bytes for " + std::to_string(wanted.size()) +
                  ", other ones from " + std::to_string(differs - got.begin()) + " on");
  }
  ++life.course().proofs;
}

void expect_answer(Client& client, std::string_view body, Life& life) {
  const Response response = client.response();
  if (response.status() != 200) throw Failure("status " + std::to_string(response.status()));
  expect_same(response.body, body, "the body of an answer", life);
}

void ask(Client& client, Life& life) {
  const Question question = any_question(life, life.any(5'000));
  client.send(question.wire);
  expect_answer(client, question.body, life);
}

// Sends a piece of a long exchange in each upgrade, and the rest at the end.
void send_over_all_upgrades(Client& client, std::string_view wire, Life& life) {
  while (life.await_upgrade()) {
    const std::size_t size = std::min(wire.size(), life.any(100'000));
    client.send(wire.substr(0, size));
    wire.remove_prefix(size);
  }
  client.send(wire);
}

void read_events(Client& client, Life& life) {
  if (const std::string head = read_head(client).start_line; head != "HTTP/1.1 200 OK") throw Failure(head);
  for (clients::EventJudge judge(events_target); !judge.ended(); ++life.course().proofs) {
    std::string chunk = client.read_through("\r\n");
    chunk += client.read_exactly(std::stoul(chunk, nullptr, 16) + 2);
    if (const std::string wrong = judge.take(chunk); !wrong.empty()) throw Failure(wrong);
  }
}

void asks_between_upgrades(Life& life, Client& client) {
  while (life.await_upgrade()) ask(client, life);
  ask(client, life);
}

void halts_in_the_head(Life& life, Client& client) {
  for (bool goes_on = true; goes_on;) {
    const std::size_t bytes = life.any(3'000);
    const std::string wire = get_request("/bytes/" + std::to_string(bytes));
    const std::size_t cut = 1 + life.any(wire.size() - 1);
    client.send(std::string_view(wire).substr(0, cut));
    goes_on = life.await_upgrade();
    client.send(std::string_view(wire).substr(cut));
    expect_answer(client, beginning(bytes), life);
  }
}

void pipelines(Life& life, Client& client) {
  for (bool goes_on = true; goes_on; goes_on = life.course().goes_on()) {
    std::vector<Question> questions(1 + life.any(6));
    std::string wire;
    for (Question& question : questions) wire += (question = any_question(life, life.any(8'000))).wire;
    send_in_pieces(client, wire, life);
    for (const Question& question : questions) expect_answer(client, question.body, life);
  }
}

void asks_for_much(Life& life, Client& client) {
  for (bool goes_on = true; goes_on; goes_on = life.course().goes_on()) {
    const Question question = any_question(life, much(life));
    client.send(question.wire);
    expect_answer(client, question.body, life);
    life.linger_at_most(50);
  }
}

void comes_and_goes(Life& life) {
  for (bool goes_on = true; goes_on; goes_on = life.course().goes_on()) {
    Client client = life.connect();
    ask(client, life);
    life.linger_at_most(40);
  }
}

void keeps_asking(Life& life, Client& client) {
  for (bool goes_on = true; goes_on; goes_on = life.course().goes_on()) {
    ask(client, life);
    life.linger_at_most(20);
  }
}

// On one connection for its whole life.
Habit on_one_connection(void (*habit)(Life&, Client&), clients::Transport transport) {
  if (transport == clients::Transport::plain) {
    return [habit](Life& life) {
      Client client = life.connect();
      client.wait_at_most(life.course().patience());
      life.note_established();
      habit(life, client);
    };
  }
  return [habit, version = transport == clients::Transport::tls13 ? TLS1_3_VERSION : TLS1_2_VERSION](Life& life) {
    TlsClient client = life.connect({.version = version});
    client.wait_at_most(life.course().patience());
    client.shake_hands();
    ask(client, life);
    life.note_established();
    habit(life, client);
  };
}

std::optional<TlsOptions> http2_over(clients::Transport transport) {
  if (transport == clients::Transport::plain) return std::nullopt;
  return TlsOptions{.version = transport == clients::Transport::tls13 ? TLS1_3_VERSION : TLS1_2_VERSION, .alpn = "h2"};
}

void reads_slowly(Life& life, Client& client) {
  client.send(get_request("/bytes/" + std::to_string(everything_bytes)));
  read_head(client);
  std::string_view wanted = everything();
  const auto read = [&](std::size_t bytes) {
    expect_same(client.read_exactly(bytes), wanted.substr(0, bytes), "a long body", life);
    wanted.remove_prefix(bytes);
  };
  while (life.await_upgrade()) read(std::min(wanted.size(), life.any(200'000)));
  while (!wanted.empty()) read(std::min<std::size_t>(wanted.size(), 100'000));
  ask(client, life);
}

void uploads_by_length(Life& life, Client& client) {
  const std::size_t bytes = much(life);
  send_over_all_upgrades(client, post_request("/count", beginning(bytes)), life);
  expect_answer(client, std::to_string(bytes) + " as sent", life);
  ask(client, life);
}

void uploads_in_chunks(Life& life, Client& client) {
  const std::size_t bytes = much(life);
  send_over_all_upgrades(client, chunked_upload(beginning(bytes), life), life);
  expect_answer(client, std::to_string(bytes) + " as sent", life);
  ask(client, life);
}

void listens_to_events(Life& life, Client& client) {
  client.send(get_request(events_target));
  read_events(client, life);
  ask(client, life);
}

void talks_to_an_echo(Life& life, Client& client) {
  if (client.get("/websocket", upgrade_fields).status() != 101) throw Failure("no tunnel");
  for (bool goes_on = true; goes_on; goes_on = life.course().goes_on()) {
    const std::string_view said = std::string_view(everything()).substr(life.any(1'000'000), 1 + life.any(30'000));
    send_in_pieces(client, said, life);
    expect_same(client.read_exactly(said.size()), said, "an echo", life);
  }
  client.half_close();
  client.expect_fin();
}

void listens_with_its_own_side_closed(Life& life, Client& client) {
  client.send(get_request(events_target));
  client.half_close();
  read_events(client, life);
  client.expect_fin();
}

void pours_with_the_other_side_closed(Life& life, Client& client) {
  client.send(get_request("/pour", upgrade_fields));
  if (const std::string head = read_head(client).start_line; !head.starts_with("HTTP/1.1 101 ")) throw Failure(head);
  client.expect_fin();
  std::string_view left = everything();
  for (bool goes_on = true; goes_on && !left.empty(); goes_on = life.course().goes_on()) {
    const std::size_t size = std::min(left.size(), 1 + life.any(4'000));
    send_in_pieces(client, left.substr(0, size), life);
    left.remove_prefix(size);
    life.course().poured += size;
    life.linger_at_most(8);
  }
}

}  // namespace

std::vector<Habit> of(clients::Kind kind, clients::Transport transport) {
  using clients::Kind;
  const auto on_one = [transport](void (*habit)(Life&, Client&)) { return on_one_connection(habit, transport); };
  switch (kind) {
    case Kind::keep_alive:
      return {on_one(keeps_asking)};
    case Kind::http2:
      return {has_many_streams(http2_over(transport))};
    case Kind::grpc:
      return {talks_grpc(http2_over(transport))};
    case Kind::idle:
      return {on_one(asks_between_upgrades)};
    case Kind::half_head:
      return {on_one(halts_in_the_head)};
    case Kind::pipelined:
      return {on_one(pipelines)};
    case Kind::large_bodies:
      return {on_one(asks_for_much)};
    case Kind::slow_reader:
      return {on_one(reads_slowly)};
    case Kind::events:
      return {on_one(listens_to_events)};
    case Kind::upload:
      return {on_one(uploads_by_length), on_one(uploads_in_chunks)};
    case Kind::websocket:
    case Kind::raw_tcp:
      return {on_one(talks_to_an_echo)};
    case Kind::half_closed_by_client:
      return {on_one(listens_with_its_own_side_closed)};
    case Kind::half_closed_by_server:
      return {on_one(pours_with_the_other_side_closed)};
    case Kind::newcomer:
      return transport == clients::Transport::plain ? std::vector<Habit>{comes_and_goes} : std::vector<Habit>{};
    // The slow reader's body is as long as a download; the TLS matrix plays the kinds that need TLS.
    case Kind::download:
    case Kind::half_record:
    case Kind::half_hello:
    case Kind::key_updates:
      return {};
  }
  return {};
}

void serve(Origin& origin, Course& course) {
  origin.on(events_target, [&course](Exchange& exchange) {
    exchange.stream.send(events_head);
    clients::EventStream events(events_target);
    while (course.linger(beat)) exchange.stream.send(events.next());
    exchange.stream.send(events.end());
  });
  origin.on("/pour", [&course](Exchange& exchange) {
    exchange.close = true;
    exchange.stream.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    exchange.stream.half_close();
    const std::string got = exchange.stream.read_to_fin();
    if (got == beginning(got.size())) course.arrived += got.size();
  });
}

}  // namespace baton::harness::habits
