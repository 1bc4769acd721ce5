// A hundred upgrades and rollbacks, with reloads between, under all policies at a time: distribution, stickiness,
// health, what an operator ordered, limits, rates, PROXY headers from and to HAProxy, names that change in a real name
// server. The processes have 1, 2 or 4 workers, in every order. No client ever reconnects.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <optional>

#include "harness/baton.hpp"
#include "harness/name_server.hpp"
#include "harness/origin.hpp"
#include "policies/crew.hpp"
#include "policies/servers.hpp"

namespace baton::harness {
namespace {

constexpr int moves = 100;
constexpr const char* haproxy = "/usr/sbin/haproxy";

// HAProxy in front of the listener that requires PROXY headers, and as a server that requires them.
class Haproxy {
 public:
  Haproxy(const Address& behind_front, const Address& front_of, const Address& server) {
    replace_file(
        directory_ / "haproxy.cfg",
        "global\n  maxconn 200\ndefaults\n  timeout connect 60s\n  timeout client 600s\n  timeout server 600s\n"
        "listen front\n  mode tcp\n  bind " +
            front_of.text() + " accept-proxy\n  server baton " + behind_front.text() +
            " send-proxy-v2\nfrontend server\n  mode http\n  bind " + server.text() +
            " accept-proxy\n  http-request return status 200 content-type text/plain lf-string \"%[src]\"\n");
    process_ = std::make_unique<Process>(Command{{haproxy, "-db", "-f", directory_ / "haproxy.cfg"}});
    await([&] { return is_listening(server); }, "haproxy to listen");
  }

 private:
  TempDir directory_;
  std::unique_ptr<Process> process_;
};

class HundredUpgrades : public testing::Test {
 protected:
  void SetUp() override {
    if (!NameServer::installed()) GTEST_SKIP() << "dnsmasq is not installed";
    if (::access(haproxy, X_OK) != 0) GTEST_SKIP() << "haproxy is not installed";
    names.emplace(std::vector<std::string>{"127.0.0.1 app.test"});
    settings.binds = {web};
    settings.workers = 2;
    settings.handoff += ", finish_timeout: 20ms";
    settings.topology = topology();
    baton.emplace(settings);
    proxies.emplace(proxied, proxied_front, haproxy_server);
    segments = settings.workers;
  }

  std::string topology() const {
    const auto server = [this](int number, const std::string& more = "") {
      return "{ address: \"" + servers.address(number) + "\"" + (more.empty() ? "" : ", " + more) + " }";
    };
    const std::string three = "[ " + server(1) + ", " + server(2) + ", " + server(3) + " ]";
    const std::string two = "[ " + server(1) + ", " + server(2) + " ]";
    const std::vector<std::pair<std::string, std::string>> upstreams{
        {"turns", "servers: [ " + server(1, "weight: 3") + ", " + server(2, "weight: 2") + ", " + server(3) + " ]"},
        {"weighted", "servers: " + two},
        {"least", "balance: least_connections, servers: " + two},
        {"random", "balance: random_two, servers: " + two},
        {"hashed", "balance: hash, hash: { by: header X-User }, servers: " + three},
        {"sticky", "sticky: {}, servers: " + three},
        {"checked", "health: { active: { path: /healthz, every: 500ms, timeout: 60s, down: 1 } }, servers: " + three},
        {"ejected", "health: { passive: { failures: 1, within: 1h, eject: 24h, status: 503 } }, servers: " + three},
        {"limited", "queue: { at_most: 100, wait: 60s }, servers: [ " + server(1, "max_connections: 2") + " ]"},
        {"rated", "servers: " + two},
        {"named", "resolve: { every: 1s, nameservers: \"" + names->address().text() +
                      "\" }, servers: [ { address: \"app.test:" + port_of_first + "\" } ]"},
        {"haproxy", "proxy_protocol: v2, servers: [ { address: \"" + haproxy_server.text() + "\" } ]"}};
    std::string yaml = "listeners:\n  - { name: web, bind: \"" + web.text() + "\" }\n  - { name: proxied, bind: \"" +
                       proxied.text() + "\", proxy_protocol: require, trusted_proxies: 127.0.0.1 }\nroutes:\n";
    for (const auto& [name, keys] : upstreams) {
      yaml += "  - { match: { path_prefix: /" + name + " }, upstream: " + name + (name == "rated" ? rate : "") + " }\n";
    }
    yaml += "upstreams:\n";
    for (const auto& [name, keys] : upstreams) yaml += "  - { name: " + name + ", " + keys + " }\n";
    return yaml;
  }

  std::string ctl(std::vector<std::string> words) {
    words.insert(words.begin(), "ctl");
    words.insert(words.end(), {"-c", baton->config_path()});
    const Outcome outcome = run_baton(words);
    if (outcome.code != 0) throw Failure(outcome.out + outcome.err);
    return outcome.out;
  }
  std::string id(const std::string& upstream, int number) const { return upstream + "/" + servers.address(number); }
  std::string state_of(const std::string& upstream, int number) {
    const auto shown = boost::json::parse(ctl({"servers", "--json"})).as_object();
    for (const auto& one : shown.at("servers").as_array()) {
      const auto& server = one.as_object();
      if (server.at("upstream").as_string() == upstream && server.at("address").as_string() == servers.address(number))
        return std::string(server.at("state").as_string()) + " with weight " +
               std::to_string(server.at("weight").to_number<int>());
    }
    throw Failure(id(upstream, number) + " is missing");
  }

  static std::string server_of(const Response& response) {
    if (response.status() != 200) throw Failure("status " + std::to_string(response.status()) + ": " + response.body);
    return response.body.substr(0, response.body.find(' '));
  }
  static void expect(bool is_true, const std::string& what) {
    if (!is_true) throw Failure(what);
  }

  std::function<void(std::list<Client>&)> connect(const std::string& from = "127.0.0.1") const {
    return [this, from](std::list<Client>& clients) { clients.emplace_back(web, from); };
  }

  // ── What each policy promises ─────────────────────────────────────────────────────────────────────────────────

  void add_turns() {
    for (int i = 0; i < 2; ++i) {
      crew.add("turns", 20, connect(), [](Client& client) { server_of(client.get("/turns/a")); });
    }
    ctl({"server", id("weighted", 1), "weight", "3"});
    crew.add("weighted", 20, connect(), [](Client& client) { server_of(client.get("/weighted/a")); });
  }

  // Nothing else is in flight to this upstream, so nobody is above the bound of its load.
  void add_hashed() {
    crew.add("hashed", 1, connect(), [known = std::map<std::string, std::string>()](Client& client) mutable {
      for (int user = 0; user < 20; ++user) {
        const std::string name = std::to_string(user);
        const std::string server = server_of(client.get("/hashed/a", "X-User: " + name + "\r\n"));
        expect(known.emplace(name, server).first->second == server, "user " + name + " went to " + server);
      }
    });
  }

  // The drained server keeps its clients and gets no others.
  void add_sticky() {
    std::string drained;
    for (int i = 0; i < 4; ++i) {
      const Response first = baton->connect().get("/sticky/a");
      const std::string server = server_of(first);
      const std::string cookie =
          "Cookie: " + first.field("Set-Cookie").value().substr(0, first.field("Set-Cookie").value().find(';')) +
          "\r\n";
      if (i == 0) drained = server;
      crew.add("sticky", 5, connect(), [server, cookie](Client& client) {
        const Response response = client.get("/sticky/a", cookie);
        expect(server_of(response) == server && !response.field("Set-Cookie"),
               "a client of " + server + " went to " + response.body);
      });
    }
    ctl({"server", id("sticky", std::stoi(drained)), "drain"});
    crew.add("newcomer", 5, connect(), [drained](Client& client) {
      expect(server_of(client.get("/sticky/a")) != drained, "a newcomer went to the drained server");
    });
  }

  void add_unwell() {
    baton->await_log(std::regex("upstream checked: server " + servers.address(3) + " is down"));
    Client fails(web);  // on one connection, and so in one worker's turns
    for (int i = 0; i < 3; ++i) fails.get("/ejected/fails");
    baton->await_log(std::regex("upstream ejected: server " + servers.address(3) + " is ejected"));
    for (const std::string upstream : {"checked", "ejected"}) {
      crew.add(upstream, 10, connect(), [upstream](Client& client) {
        expect(server_of(client.get("/" + upstream + "/a")) != "3", "server 3 is out of service");
      });
    }
  }

  void add_limited() {
    for (int i = 0; i < 6; ++i) {
      crew.add("limited", 5, connect(), [](Client& client) { server_of(client.get("/limited/a")); });
    }
  }

  // So slow that nothing is given back while the test runs.
  void add_rated() {
    for (int i = 0; i < 2; ++i) {
      crew.add("rated", 1, connect(), [this](Client& client) {
        const int status = client.get("/rated/a", "X-User: one\r\n").status();
        expect(status == 200 || status == 429, "status " + std::to_string(status));
        ++(status == 200 ? passed : over_rate);
      });
    }
  }

  void add_named() {
    crew.add("named", 10, connect(), [](Client& client) { server_of(client.get("/named/a")); });
  }

  void add_haproxy() {
    for (const std::string client_of_haproxy : {"198.51.100.7", "198.51.100.8"}) {
      crew.add(
          "from HAProxy", 5,
          [this, client_of_haproxy](std::list<Client>& clients) {
            clients.emplace_back(proxied_front).send("PROXY TCP4 " + client_of_haproxy + " 10.0.0.1 4000 80\r\n");
          },
          [client_of_haproxy](Client& client) {
            const Response response = client.get("/turns/a");
            expect(response.body.ends_with(" for " + client_of_haproxy), response.body);
          });
    }
    for (const std::string address : {"127.0.0.7", "127.0.0.8"}) {
      crew.add("to HAProxy", 5, connect(address), [address](Client& client) {
        const Response response = client.get("/haproxy/a");
        expect(response.status() == 200 && response.body == address, response.body);
      });
    }
  }

  // Keeps an exchange with the first server in flight, so that each request alone goes to the other.
  void hold(const std::string& upstream) {
    for (int i = 0; i < 2; ++i) {
      held.emplace_back(web).send(get_request("/" + upstream + "/held"));
      const int expected = static_cast<int>(held.size());
      await([&] { return servers.at(1).gate().waiting() + servers.at(2).gate().waiting() == expected; },
            "a held request");
    }
  }
  void release_second() {
    servers.at(2).gate().open();
    baton->await_number("connections.exchange", 2);
  }
  void finish_held() {
    servers.at(1).gate().open();
    std::map<std::string, int> answers;
    for (Client& client : held) ++answers[server_of(client.response())];
    EXPECT_EQ(answers, (std::map<std::string, int>{{"1", 2}, {"2", 2}}));
  }

  // ── What happens meanwhile ────────────────────────────────────────────────────────────────────────────────────

  void write_configuration() const { replace_file(baton->config_path(), to_yaml(settings, baton->directory())); }

  void move(int turn) {
    if (turn % 10 == 7) {
      ctl({"rollback"});
      baton->finish_upgrade();
      std::swap(settings.workers, workers_before);
    } else {
      workers_before = settings.workers;
      settings.workers = std::array{1u, 2u, 4u, 2u, 1u, 4u, 4u, 1u, 1u, 2u, 2u}[static_cast<std::size_t>(turn) % 11];
      write_configuration();
      const std::string report = baton->upgrade();
      ASSERT_NE(report.find("taken_back=0, refused=0"), std::string::npos) << report;
    }
    segments += settings.workers;
  }
  void reload(int turn) {
    settings.timeouts = "handshake: 60s, head: 60s, send: " + std::to_string(60 + turn) + "s";
    baton->reload(settings);
    segments += settings.workers;
  }

  // Of `total` requests a server has had its share but for less than one in each segment.
  void expect_share(const std::string& upstream, int number, double share) {
    int total = 0;
    for (const int each : {1, 2, 3}) total += servers.count(upstream, each);
    EXPECT_NEAR(servers.count(upstream, number), share * total, segments) << upstream << " " << number;
    EXPECT_GT(share * total, 2 * segments) << "there were too few requests to tell";
  }

  static constexpr int passing = 120;
  const std::string rate = ", rate_limit: { requests: " + std::to_string(passing) + ", per: 24h, by: header X-User }";
  std::atomic<int> passed = 0, over_rate = 0;
  const Address web = loopback(free_port());
  const Address proxied = loopback(free_port());
  const Address proxied_front = loopback(free_port());
  const Address haproxy_server = loopback(free_port());
  PolicyServers servers;
  const std::string port_of_first = std::to_string(servers.at(1).address().port);
  std::optional<NameServer> names;
  Settings settings;
  std::optional<Baton> baton;
  std::optional<Haproxy> proxies;
  std::list<Client> held;
  Crew crew;
  unsigned workers_before = 2;
  unsigned segments = 0;  // each worker of each process begins its turns anew
};

TEST_F(HundredUpgrades, UnderAllPolicies) {
  add_turns();
  add_hashed();
  add_sticky();
  add_unwell();
  add_limited();
  add_rated();
  add_named();
  add_haproxy();
  hold("least");
  hold("random");
  release_second();
  Client check(web);
  for (int turn = 0; turn < moves && !HasFailure(); ++turn) {
    SCOPED_TRACE("move " + std::to_string(turn));
    crew.begin_round();
    move(turn);
    if (turn % 10 == 3) reload(turn);
    crew.finish_round();
    EXPECT_EQ(server_of(check.get("/least/a")), "2") << "the first one has a request in flight";
    EXPECT_EQ(server_of(check.get("/random/a")), "2");
    if (turn % 25 == 10) {
      const std::string next = turn % 50 == 10 ? "127.0.0.2" : "127.0.0.1";
      names->say({next + " app.test"});
      baton->await_log(std::regex("app.test:.* is now at " + next));
      EXPECT_EQ(server_of(check.get("/named/a")), next == "127.0.0.2" ? "elsewhere" : "1");
    }
  }
  EXPECT_LE(servers.most_at_a_time(), 4) << "2, and while connections move twice as many";
  for (int round = 0; round < 3; ++round) {
    crew.begin_round();
    crew.finish_round();
  }
  EXPECT_LE(servers.most_at_a_time(), 2);
  expect_share("weighted", 1, 3.0 / 4);
  expect_share("weighted", 2, 1.0 / 4);
  expect_share("turns", 1, 3.0 / 6);
  expect_share("turns", 2, 2.0 / 6);
  expect_share("turns", 3, 1.0 / 6);
  EXPECT_EQ(passed, passing) << "a rate neither doubles nor begins anew";
  EXPECT_EQ(passed + over_rate, 2 * (moves + 3));
  EXPECT_EQ(state_of("weighted", 1), "up with weight 3");
  EXPECT_EQ(state_of("checked", 3), "down with weight 1");
  EXPECT_EQ(state_of("ejected", 3), "ejected with weight 1");
  EXPECT_EQ(baton->number("generation"), moves + 1);
  finish_held();
}

}  // namespace
}  // namespace baton::harness
