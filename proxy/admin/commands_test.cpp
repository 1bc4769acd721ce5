// Commands on the admin interface. Everything runs in one thread, so a test controls the order of events.
#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "proxy/admin/admin.hpp"
#include "proxy/admin/testing/client.hpp"

namespace baton::admin {
namespace {

using namespace std::chrono_literals;
namespace http = boost::beast::http;

class Commands : public testing::Test {
 protected:
  Commands() { replace_admin({}); }

  void replace_admin(const Limits& limits, int family = AF_UNIX) {
    admin.emplace(context,
                  Source{.ready = [] { return true; },
                         .status = [](const auto& answer) { answer(Status{}); },
                         .command =
                             [this](Command command, ReplySink answer) {
                               obeyed.push_back(command);
                               if (answers_later) {
                                 waiting.push_back(std::move(answer));
                               } else {
                                 answer(reply);
                               }
                             },
                         .upgrade = [this](const UpgradeCommand& command, LineSink sink) -> std::optional<Reply> {
                           using What = UpgradeCommand::What;
                           upgrades.push_back(command.what == What::rollback  ? "what ran before"
                                              : command.what == What::promote ? "the canary"
                                                                              : command.binary);
                           if (reply.status != 200) return reply;
                           lines = std::move(sink);
                           return std::nullopt;
                         },
                         .token = [this] { return token; }},
                  limits);
    admin->listen(make_listener(family));
  }
  Client connect() const { return Client(admin->listener()); }
  // Runs the server until then.
  void run_until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() >= deadline) throw std::runtime_error("waited in vain");
      context.run_one_for(10ms);
    }
  }
  Client::Response receive(Client& client) {
    run_until([&] { return client.is_readable() && !admin->is_answering(); });
    return client.receive();
  }
  Client::Response ask(const std::string& method, const std::string& target, const std::string& body = "") {
    Client client = connect();
    client.send(request(method, target, body));
    return receive(client);
  }
  // The same while another client waits for an answer.
  Client::Response ask_beside(const std::string& method, const std::string& target) {
    Client client = connect();
    client.send(request(method, target));
    run_until([&] { return client.is_readable(); });
    return client.receive();
  }
  Client::Response ask_upgrade(const std::string& body, const std::string& target = "/upgrade") {
    Client client = connect();
    client.send(request("POST", target, body));
    run_until([&] { return lines || client.is_readable(); });
    if (const auto begun = std::exchange(lines, nullptr)) begun("done", true);
    return receive(client);
  }
  static std::string request(const std::string& method, const std::string& target, const std::string& body = "") {
    return method + " " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  }
  void await_upgrade() {
    run_until([&] { return static_cast<bool>(lines); });
  }
  void settle() {
    while (context.poll() > 0) {
    }
  }

  Reply reply{200, "done"};
  std::string token;
  std::vector<Command> obeyed;
  bool answers_later = false;
  std::vector<ReplySink> waiting;
  std::vector<std::string> upgrades;
  LineSink lines;
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard =
      boost::asio::make_work_guard(context);
  std::optional<Admin> admin;
};

TEST_F(Commands, AreObeyedOnceEachAndAnsweredWithTheReply) {
  const std::vector<std::pair<const char*, const char*>> asked{{"POST", "/reload"},   {"POST", "/drain"},
                                                               {"DELETE", "/drain"},  {"POST", "/stop"},
                                                               {"POST", "/reopen-logs"}};
  for (const auto& [method, target] : asked) {
    const auto response = ask(method, target);
    EXPECT_EQ(response.result_int(), 200u) << target;
    EXPECT_EQ(response.body(), "done");
  }
  EXPECT_EQ(obeyed, (std::vector{Command::reload, Command::drain, Command::undo_drain, Command::stop, Command::reopen_logs}));
}

TEST_F(Commands, ARollbackIsAnUpgradeToWhatRanBefore) {
  EXPECT_EQ(ask_upgrade("", "/rollback").body(), "done\n");
  EXPECT_EQ(upgrades, std::vector<std::string>{"what ran before"});
}

TEST_F(Commands, APromotionIsAnsweredWithTheLinesOfTheUpgrade) {
  EXPECT_EQ(ask_upgrade("", "/promote").body(), "done\n");
  EXPECT_EQ(upgrades, std::vector<std::string>{"the canary"});
  reply = {409, "no upgrade is a canary now"};
  const auto response = ask("POST", "/promote");
  EXPECT_EQ(response.result_int(), 409u);
  EXPECT_EQ(response.body(), reply.text);
}

TEST_F(Commands, ThatTakeLongKeepNobodyElseWaiting) {
  answers_later = true;
  Client asking = connect();
  asking.send(request("POST", "/reload"));
  run_until([&] { return waiting.size() == 1; });
  EXPECT_EQ(ask_beside("GET", "/healthz").body(), "ok");
  std::optional<Client> gone(connect());
  gone->send(request("POST", "/reload"));
  run_until([&] { return waiting.size() == 2; });
  gone.reset();
  settle();
  EXPECT_FALSE(asking.is_readable());
  EXPECT_TRUE(admin->is_answering()) << "the process may not end before";
  for (const ReplySink& answer : waiting) answer({200, "at last"});
  EXPECT_EQ(receive(asking).body(), "at last");
  admin.reset();
  for (const ReplySink& answer : waiting) answer({200, "to nobody"});
  settle();
}

TEST_F(Commands, TheStatusAndTextOfARefusalGoThrough) {
  reply = {422, "baton.yaml:3:5: unknown key"};
  const auto response = ask("POST", "/reload");
  EXPECT_EQ(response.result_int(), 422u);
  EXPECT_EQ(response.body(), reply.text);
  reply = {409, "one is under way"};
  EXPECT_EQ(ask("POST", "/upgrade").result_int(), 409u);
}

TEST_F(Commands, AreReachedByNoOtherMethod) {
  for (const auto* target : {"/reload", "/rollback", "/promote", "/stop", "/reopen-logs", "/upgrade"}) {
    for (const auto* method : {"GET", "PUT", "DELETE", "PATCH"}) {
      const auto response = ask(method, target);
      EXPECT_EQ(response.result_int(), 405u) << method << target;
      EXPECT_EQ(response[http::field::allow], "POST");
    }
  }
  EXPECT_EQ(ask("GET", "/drain")[http::field::allow], "POST, DELETE");
  EXPECT_EQ(ask("DELETE", "/status").result_int(), 405u);
  EXPECT_EQ(ask("POST", "/metrics").result_int(), 405u);
  EXPECT_TRUE(obeyed.empty() && upgrades.empty());
}

TEST_F(Commands, AreForbiddenOverTcpWhereOnlyReadingIsAllowed) {
  replace_admin({}, AF_INET);
  for (const auto* target : {"/reload", "/rollback", "/promote", "/drain", "/stop", "/reopen-logs", "/upgrade"}) {
    const auto response = ask("POST", target);
    EXPECT_EQ(response.result_int(), 403u) << target;
    EXPECT_NE(response.body().find("Unix socket"), std::string::npos);
  }
  EXPECT_EQ(ask("DELETE", "/drain").result_int(), 403u);
  EXPECT_TRUE(obeyed.empty() && upgrades.empty());
  EXPECT_EQ(ask("GET", "/status").result_int(), 200u);
}

TEST_F(Commands, AreForbiddenToABrowserThatActsForAnotherSite) {
  const auto ask_with = [this](const std::string& line, const std::string& fields) {
    Client client = connect();
    client.send(line + " HTTP/1.1\r\nContent-Length: 0\r\n" + fields + "\r\n");
    return receive(client).result_int();
  };
  for (const std::string foreign :
       {"Host: localhost:9901\r\nOrigin: https://evil.example\r\n", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n",
        "Host: evil.example\r\nOrigin: http://evil.example\r\n"}) {
    EXPECT_EQ(ask_with("POST /stop", foreign), 403U) << foreign;
    EXPECT_EQ(ask_with("GET /config", foreign), 403U) << foreign;
    EXPECT_EQ(ask_with("GET /status", foreign), 200U) << "reading changes nothing";
  }
  EXPECT_TRUE(obeyed.empty());
  EXPECT_EQ(ask_with("POST /stop", "Host: localhost:9901\r\nOrigin: http://localhost:9901\r\n"), 200U);
  EXPECT_EQ(obeyed.size(), 1U);
}

TEST_F(Commands, AreTakenOverTcpFromWhoeverHasTheToken) {
  token = "0123456789abcdef";
  replace_admin({}, AF_INET);
  const auto ask_with = [this](const std::string& fields) {
    Client client = connect();
    client.send("POST /drain HTTP/1.1\r\nHost: a\r\n" + fields + "Content-Length: 0\r\n\r\n");
    return receive(client);
  };
  for (const std::string fields :
       {"", "Authorization: Bearer\r\n", "Authorization: Bearer 0123456789abcdee\r\n",
        "Authorization: Bearer 0123456789abcde\r\n", "Authorization: Bearer 0123456789abcdef0\r\n",
        "Authorization: Basic 0123456789abcdef\r\n", "Authorization: 0123456789abcdef\r\n",
        "Authorization: Bearer 0123456789abcdef\r\nAuthorization: Bearer no\r\n", "X-Token: 0123456789abcdef\r\n"}) {
    const auto response = ask_with(fields);
    EXPECT_EQ(response.result_int(), 401u) << fields;
    EXPECT_EQ(response[http::field::www_authenticate], "Bearer realm=\"baton\"");
    EXPECT_EQ(response.body().find(token), std::string::npos);
  }
  EXPECT_TRUE(obeyed.empty());
  EXPECT_EQ(ask_with("Authorization: Bearer 0123456789abcdef\r\n").result_int(), 200u);
  EXPECT_EQ(ask_with("authorization: bearer 0123456789abcdef\r\n").result_int(), 200u);
  EXPECT_EQ(obeyed.size(), 2u);
  EXPECT_EQ(ask("GET", "/status").result_int(), 200u) << "reading is free";
  token.clear();
  EXPECT_EQ(ask_with("Authorization: Bearer \r\n").result_int(), 403u);
}

TEST_F(Commands, AnUpgradeTellsItsLinesAsTheyComeAndEndsTheConnection) {
  Client client = connect();
  client.send(request("POST", "/upgrade"));
  await_upgrade();
  settle();
  EXPECT_TRUE(client.is_readable()) << "the head is here before anything has happened";
  lines("one", false);
  settle();
  lines("two", false);
  lines("three", true);
  lines("four", true);  // no client listens any more
  settle();
  const auto response = client.receive();
  EXPECT_EQ(response.result_int(), 200u);
  EXPECT_EQ(response.body(), "one\ntwo\nthree\n");
  EXPECT_TRUE(response.chunked());
  EXPECT_TRUE(client.has_ended());
}

TEST_F(Commands, AnUpgradeMayEndBeforeItsAnswerHasBegun) {
  Client client = connect();
  client.send(request("POST", "/upgrade"));
  await_upgrade();
  lines("all of it", true);
  EXPECT_EQ(receive(client).body(), "all of it\n");
}

TEST_F(Commands, AnUpgradeNamesTheBinaryInItsBody) {
  ask_upgrade("{\"binary\": \"/opt/baton 2\"}");
  EXPECT_EQ(upgrades.back(), "/opt/baton 2");
  for (const std::string body : {"{}", ""}) {
    EXPECT_EQ(ask_upgrade(body).body(), "done\n");
    EXPECT_EQ(upgrades.back(), "");
  }
  const std::size_t begun = upgrades.size();
  for (const std::string body :
       {"{", "[]", "1", "{\"binary\": 1}", "{\"binary\": \"relative\"}", "{\"binary\": \"\"}",
        "{\"binary\": \"/a\\u0000b\"}", "{\"other\": \"/a\"}", "{\"binary\": \"/a\", \"other\": 1}"}) {
    EXPECT_EQ(ask_upgrade(body).result_int(), 400u) << body;
  }
  EXPECT_EQ(ask_upgrade(R"({"canary": {"share": "60%"}})").body(),
            "`canary.share`: `60%` is not a share from 0.01% to 50%; write it like 5% or 0.25%");
  EXPECT_EQ(upgrades.size(), begun);
}

TEST_F(Commands, AnUpgradeIsNotBegunForWhoCannotReadItsAnswer) {
  Client old = connect();
  old.send("POST /upgrade HTTP/1.0\r\n\r\n");
  EXPECT_EQ(receive(old).result_int(), 505u);
  EXPECT_TRUE(upgrades.empty());
}

TEST_F(Commands, LinesMayComeWhenWhoeverAskedIsGone) {
  {
    Client leaving = connect();
    leaving.send(request("POST", "/upgrade"));
    await_upgrade();
    settle();
  }
  for (int i = 0; i < 10; ++i) {
    lines("nobody reads this", false);
    settle();
  }
  lines("nor this", true);
  settle();
  EXPECT_FALSE(admin->is_answering());
  admin.reset();
  lines("nor this", true);
}

TEST_F(Commands, AnAdminThatEndsClosesAnUpgradesAnswerInTheMiddle) {
  Client client = connect();
  client.send(request("POST", "/upgrade"));
  await_upgrade();
  settle();
  admin.reset();
  guard.reset();
  context.run();  // ends, since nothing waits any more
  EXPECT_THROW(client.receive(), std::runtime_error);
}

TEST_F(Commands, AnswersAreOwedUntilTheyAreWrittenWhole) {
  EXPECT_FALSE(admin->is_answering());
  Client client = connect();
  client.send("POST /upg");
  settle();
  EXPECT_TRUE(admin->is_answering()) << "half a request";
  client.send("rade HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  await_upgrade();
  settle();
  EXPECT_TRUE(admin->is_answering());
  admin->pause();
  EXPECT_TRUE(admin->is_answering()) << "a pause takes nobody's answer away";
  lines("done", true);
  EXPECT_TRUE(admin->is_answering());
  settle();
  EXPECT_FALSE(admin->is_answering());
  EXPECT_EQ(client.receive().body(), "done\n");
}

TEST_F(Commands, ANewClientIsOwedAnAnswerBeforeItHasAsked) {
  Client client = connect();
  settle();
  EXPECT_TRUE(admin->is_answering());
  admin->pause();
  client.send(request("POST", "/drain"));
  EXPECT_EQ(receive(client).result_int(), 200u);
  EXPECT_FALSE(admin->is_answering());
}

TEST_F(Commands, ASilentClientIsOwedNothing) {
  replace_admin({.expected = 0ms});
  Client new_one = connect();
  settle();
  EXPECT_FALSE(admin->is_answering());
  new_one.send("POST /dr");
  settle();
  EXPECT_FALSE(admin->is_answering()) << "half a request";
  replace_admin({});
  Client client = connect();
  client.send(request("POST", "/drain"));
  receive(client);
  settle();
  EXPECT_FALSE(admin->is_answering()) << "it had its answer";
}

TEST_F(Commands, WhoNeverReadsAnUpgradesLinesIsGivenUp) {
  replace_admin({.exchange = 20ms});
  Client deaf = connect();
  deaf.send(request("POST", "/upgrade"));
  await_upgrade();
  // More than the kernel buffers for a client that does not read.
  const std::string line(1000, 'x');
  for (int i = 0; i < 10'000 && admin->is_answering(); ++i) {
    lines(line, false);
    settle();
  }
  run_until([&] { return !admin->is_answering(); });
}

TEST_F(Commands, WhoReadsAnUpgradesLinesLateMissesSomeAndGetsTheLastOne) {
  Client late = connect();
  late.send(request("POST", "/upgrade"));
  await_upgrade();
  const std::string line(1000, 'x');
  for (int i = 0; i < 10'000; ++i) {
    lines(line, false);
    settle();
  }
  lines("the end", true);
  std::string received;
  run_until([&] {
    received += late.take_what_is_here();
    return !admin->is_answering();
  });
  received += late.take_what_is_here();
  EXPECT_LT(received.size(), 5'000'000u);
  EXPECT_NE(received.find("the end\n\r\n0\r\n"), std::string::npos);
}

}  // namespace
}  // namespace baton::admin
