#include "translations/comparing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <list>
#include <map>
#include <mutex>

#include "harness/certificates.hpp"
#include "harness/client.hpp"
#include "harness/origin.hpp"
#include "harness/tls_client.hpp"

namespace baton::harness {

namespace {

const std::array<std::string, 3> names{"one", "two", "three"};

// What differs for each request, as the pages say: who forwards, and the framing of its own hop.
const std::set<std::string> request_fields_of_a_hop{"connection",       "x-forwarded-for",   "x-forwarded-proto",
                                                    "x-forwarded-host", "transfer-encoding", "content-length",
                                                    "accept-encoding",  "keep-alive",        "via"};
const std::set<std::string> response_fields_of_a_hop{"connection", "date", "server",        "transfer-encoding",
                                                     "keep-alive", "via",  "content-length"};

std::string lowercase(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

std::string fields_of(const Message& message, const std::set<std::string>& without, const std::set<std::string>& but,
                      const std::set<std::string>& also = {}) {
  std::multimap<std::string, std::string> sorted;
  for (const auto& [name, value] : message.fields) {
    const std::string key = lowercase(name);
    if (also.contains(key) || (!without.contains(key) && !but.contains(key))) sorted.emplace(key, value);
  }
  std::string text;
  for (const auto& [name, value] : sorted) text += "    " + name + ": " + value + "\n";
  return text;
}

// Three servers that answer every path with their name and what was asked for. `?two=503`: with that status from `two`.
class Recorders {
 public:
  Recorders() {
    for (std::size_t i = 0; i < names.size(); ++i) {
      origins_[i].on("*", [this, i](Exchange& exchange) { answer(exchange, i); });
    }
  }
  Servers addresses() const { return {origins_[0].address(), origins_[1].address(), origins_[2].address()}; }

  // What was recorded since the last call: (server, request), in order.
  std::vector<std::pair<std::size_t, Request>> take() {
    std::lock_guard lock(mutex_);
    return std::exchange(recorded_, {});
  }
  std::string accepted() const {
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i)
      text += names[i] + ": " + std::to_string(origins_[i].accepted()) + " connections\n";
    return text;
  }
  void await_probes(std::size_t count) const {
    await([&] { return probes_ >= count; }, "probes");
  }
  int most_at_a_time() const { return most_at_a_time_; }
  void await_accepted(std::size_t count) const {
    await([&] { return origins_[0].accepted() + origins_[1].accepted() + origins_[2].accepted() >= count; },
          "a server to be connected");
  }

 private:
  // Gives others the time to come, too.
  void count_at_a_time(std::size_t i) {
    std::unique_lock lock(mutex_);
    int& at_a_time = at_a_time_[i];
    most_at_a_time_ = std::max(most_at_a_time_.load(), ++at_a_time);
    if (at_a_time > 1) more_.notify_all();
    more_.wait_for(lock, Milliseconds(200), [&] { return at_a_time > 1; });
    --at_a_time;
  }
  void answer(Exchange& exchange, std::size_t i) {
    exchange.read_body();
    if (exchange.request.target() == "/healthz") {
      ++probes_;
      return exchange.respond("well");
    }
    if (exchange.request.target() == "/at-a-time") count_at_a_time(i);
    {
      std::lock_guard lock(mutex_);
      recorded_.emplace_back(i, exchange.request);
    }
    const std::string target = exchange.request.target();
    if (target.find(names[i] + "=silence") != std::string::npos) {
      exchange.origin.gate().pass();
      exchange.close = true;
      return;
    }
    if (const auto upgrade = exchange.request.field("Upgrade")) {
      exchange.stream.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + *upgrade +
                           "\r\n\r\n");
      exchange.close = true;
      return;
    }
    const std::size_t status = target.find(names[i] + "=");
    const std::string code = status == std::string::npos ? "200" : target.substr(status + names[i].size() + 1, 3);
    exchange.respond("server " + names[i] + " was asked for " + target + "\n", code + " As-Asked",
                     "Server: recorder\r\nX-Powered-By: tests\r\nContent-Type: text/plain\r\n");
  }

  std::mutex mutex_;
  std::vector<std::pair<std::size_t, Request>> recorded_;
  std::condition_variable more_;
  std::array<int, 3> at_a_time_{};
  std::atomic<int> most_at_a_time_ = 0;
  std::atomic<std::size_t> probes_ = 0;
  std::array<Origin, 3> origins_;
};

std::string bytes_of(const Ask& ask) {
  if (!ask.raw.empty()) return ask.raw;
  const std::string host =
      ask.fields.starts_with("Host:") || ask.fields.find("\nHost:") != std::string::npos ? "" : "Host: example.com\r\n";
  const std::string length = ask.body.empty() ? "" : "Content-Length: " + std::to_string(ask.body.size()) + "\r\n";
  return ask.before + ask.method + " " + ask.target + " HTTP/1.1\r\n" + host + ask.fields + length + "\r\n" + ask.body;
}

Response response_to(Client& client, const Ask& ask) {
  return client.response(ask.method == "HEAD" ? BodyIs::absent : BodyIs::as_framed);
}

std::unique_ptr<Client> connect(const Ask& ask, const Places& places) {
  const Address& to = places.front(ask.port);
  if (!ask.tls) return std::make_unique<Client>(to, ask.from);
  return std::make_unique<TlsClient>(to, TlsOptions{.server_name = "example.com"});
}

// A PROXY header of version 1 without the ports of this run.
std::string with_ports(std::string line, const std::string& client, std::uint16_t front) {
  const std::string ports = " " + client + " " + std::to_string(front);
  if (line.ends_with(ports)) line.replace(line.size() - ports.size(), ports.size(), " (client's port) (front's port)");
  return line;
}

// One request and what became of it, as text.
std::string exchange(const Ask& ask, const Case& one, const Places& places, Recorders& recorders) {
  const std::unique_ptr<Client> connected = connect(ask, places);
  Client& client = *connected;
  const std::string own_port = std::to_string(client.local_port());
  client.send(bytes_of(ask));
  std::string text = ask.method + " " + ask.target + "\n";
  std::optional<Response> response;
  try {
    response = response_to(client, ask);
  } catch (const ConnectionEnded&) {
    text += "  the connection ends without an answer\n";
  }
  const auto recorded = recorders.take();
  for (const auto& [i, request] : recorded) {
    std::string line = request.method() + " " + request.target();
    if (!ask.raw.empty()) line = with_ports(request.start_line, own_port, places.front(ask.port).port);
    text += "  server " + names[i] + " gets " + line + "\n" +
            fields_of(request, request_fields_of_a_hop, one.but, one.also) +
            (request.body.empty() ? "" : "    body: " + request.body + "\n");
  }
  if (!response) return places.as_documented(text);
  const bool is_own = recorded.empty() || response->body.find(" was asked for ") == std::string::npos;
  std::set<std::string> but = one.but;
  if (is_own && !one.own_text) but.insert({"content-type", "cache-control"});
  const bool has_other_status = is_own && one.other_status;
  text += "  the client gets " + (has_other_status ? "an error" : std::to_string(response->status())) + "\n" +
          fields_of(*response, response_fields_of_a_hop, but) +
          (is_own && !one.own_text ? "" : "    body: " + response->body + "\n");
  return places.as_documented(text);
}

std::string shares(const Case& one, const Places& places, Recorders& recorders) {
  for (const Ask& ask : one.asks) {
    Client client(places.front(ask.port), ask.from);
    client.send(bytes_of(ask));
    (void)response_to(client, ask);
  }
  std::array<int, 3> counts{};
  for (const auto& [i, request] : recorders.take()) ++counts[i];
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) text += names[i] + ": " + std::to_string(counts[i]) + "\n";
  return text;
}

// For each request the first one that went to the same server.
std::string affinity(const Case& one, const Places& places, Recorders& recorders) {
  std::map<std::string, std::string> server_of;
  std::string text;
  for (const Ask& ask : one.asks) {
    Client client(places.front(ask.port), ask.from);
    client.send(bytes_of(ask));
    (void)response_to(client, ask);
    const auto recorded = recorders.take();
    const std::string server = recorded.empty() ? "none" : names[recorded.back().first];
    const std::string key = ask.from + ask.target + ask.fields;
    const auto [known, is_new] = server_of.emplace(key, server);
    text += key + (is_new ? " to a server\n" : known->second == server ? " to the same\n" : " to another\n");
  }
  return text;
}

std::string connections(const Case& one, const Places& places, Recorders& recorders) {
  Client client(places.front(one.asks.front().port));
  for (const Ask& ask : one.asks) {
    client.send(bytes_of(ask));
    (void)response_to(client, ask);
  }
  return recorders.accepted();
}

// Without the value, which each proxy makes as it likes.
std::string cookie(const Case& one, const Places& places, Recorders& recorders) {
  std::string text;
  for (const Ask& ask : one.asks) {
    Client client(places.front(ask.port));
    client.send(bytes_of(ask));
    const std::string given = response_to(client, ask).field("Set-Cookie").value_or("");
    const std::string pair = given.substr(0, given.find(';'));
    text += "a cookie called " + pair.substr(0, pair.find('=')) + "\n";
    const std::size_t server = recorders.take().back().first;
    for (int i = 0; i < 3; ++i) {
      Client again(places.front(ask.port));
      const bool is_new = again.get("/", "Cookie: " + pair + "\r\n").field("Set-Cookie").has_value();
      text += recorders.take().back().first == server ? "  back to its server" : "  elsewhere";
      text += is_new ? " with a new one\n" : "\n";
    }
  }
  return text;
}

std::string at_a_time(const Case& one, const Places& places, Recorders& recorders) {
  std::list<Client> clients;
  for (const Ask& ask : one.asks) {
    clients.emplace_back(places.front(ask.port)).send(bytes_of(ask));
    // A proxy that looks at two requests at the same moment may send both to one server.
    await([&] { return recorders.most_at_a_time() > 0; }, "the first request");
  }
  std::string text;
  for (Client& client : clients) text += std::to_string(client.response().status()) + "\n";
  return text + std::to_string(recorders.most_at_a_time()) + " at a time\n";
}

std::string reached(const Case& one, const Places& places, Recorders& recorders) {
  std::string text;
  std::size_t count = 0;
  for (const Ask& ask : one.asks) {
    Client client(places.front(ask.port), ask.from);
    client.send_what_goes(ask.before);
    recorders.await_accepted(++count);
    text += recorders.accepted();
  }
  return text;
}

void write_files(const TempDir& files) {
  // The password of ann is "secret": a bcrypt hash, which all of them verify.
  replace_file(files / "htpasswd", "ann:$2b$05$NOFK4VRC/jp3TYpIEBtqCOO0lDzcTCD0/aSieN1vggl78jJcMluoi\n");
  replace_file(files / "404.html", "<p>Nothing here.</p>\n");
  replace_file(files / "404.http",
               "HTTP/1.1 404 Not Found\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Nothing here.</p>\n");
  Authority authority(files);
  const Certificate certificate = authority.issue({"example.com"});
  replace_file(files / "site.pem", read_file(certificate.cert));
  replace_file(files / "site.key", read_file(certificate.key));
  replace_file(files / "site-and-key.pem", read_file(certificate.cert) + read_file(certificate.key));
  replace_file(files / "502.html", "<p>Come back later.</p>\n");
}

}  // namespace

void PrintTo(const Case& one, std::ostream* out) {
  *out << one.heading;
}

std::string seen_through(const Start& start, const std::string& snippet, const Case& one, std::string& log) {
  TempDir files;
  write_files(files);
  Recorders recorders;
  const Places places(recorders.addresses(), files.path());
  const auto proxy = start(snippet, places);
  std::string text;
  try {
    recorders.await_probes(one.probes);
    switch (one.by) {
      case By::exchange:
        for (const Ask& ask : one.asks) text += exchange(ask, one, places, recorders);
        break;
      case By::shares:
        text = shares(one, places, recorders);
        break;
      case By::affinity:
        text = affinity(one, places, recorders);
        break;
      case By::connections:
        text = connections(one, places, recorders);
        break;
      case By::cookie:
        text = cookie(one, places, recorders);
        break;
      case By::at_a_time:
        text = at_a_time(one, places, recorders);
        break;
      case By::reached:
        text = reached(one, places, recorders);
        break;
    }
  } catch (const Failure& failure) {
    throw Failure(std::string(failure.what()) + "\n" + text + proxy->log());
  }
  log = proxy->log();
  return text;
}

void expect_same(const Start& start, const Pair& pair, const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    if (one.heading != pair.heading) continue;
    std::string log_of_original, log_of_baton;
    const std::string original = seen_through(start, pair.original, one, log_of_original);
    const std::string baton = seen_through(start_baton, pair.baton, one, log_of_baton);
    EXPECT_EQ(original, baton) << log_of_original << log_of_baton;
  }
}

void expect_complete(const std::vector<Pair>& pairs, const std::vector<Case>& cases) {
  std::set<std::string> with_pair, with_requests;
  for (const Pair& pair : pairs) EXPECT_TRUE(with_pair.insert(pair.heading).second) << pair.heading << " appears twice";
  for (const Case& one : cases) with_requests.insert(one.heading);
  EXPECT_EQ(with_pair, with_requests);
}

}  // namespace baton::harness
