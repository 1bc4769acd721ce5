// `GET /config` and `PUT /config`, without a server behind them. Everything runs in one thread.
#include "proxy/admin/configuration.hpp"

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
using config::Change;

class Configuration : public testing::Test {
 protected:
  Configuration() { replace_admin(AF_UNIX); }

  void replace_admin(int family) {
    admin.emplace(context,
                  Source{.configuration = [] { return std::string("version: 1\n"); },
                         .configure =
                             [this](ConfigurationCommand command, const ReplySink& answer) {
                               asked.push_back(std::move(command));
                               answer(reply);
                             }},
                  Limits{.body_bytes = 10, .configuration_bytes = 100'000});
    admin->listen(make_listener(family));
  }
  Client::Response ask(const std::string& method, const std::string& target, const std::string& body = "",
                       bool head_only = false) {
    Client client(admin->listener());
    client.send(method + " " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n\r\n" + body);
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!client.is_readable() || admin->is_answering()) {
      if (std::chrono::steady_clock::now() >= deadline) throw std::runtime_error("waited in vain");
      context.run_one_for(10ms);
    }
    return client.receive(head_only);
  }

  Reply reply{200, "done"};
  std::vector<ConfigurationCommand> asked;
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard =
      boost::asio::make_work_guard(context);
  std::optional<Admin> admin;
};

TEST_F(Configuration, IsShownAsYaml) {
  const auto response = ask("GET", "/config");
  EXPECT_EQ(response.result_int(), 200u);
  EXPECT_EQ(response.body(), "version: 1\n");
  EXPECT_EQ(response["Content-Type"], "application/yaml");
  EXPECT_EQ(ask("HEAD", "/config", "", true).result_int(), 200u);
}

TEST_F(Configuration, IsTakenFromTheBody) {
  const auto response = ask("PUT", "/config", "version: 1\n");
  EXPECT_EQ(response.result_int(), 200u);
  EXPECT_EQ(response.body(), "done");
  EXPECT_EQ(response["Content-Type"], "text/plain");
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].yaml, "version: 1\n");
  EXPECT_FALSE(asked[0].dry_run);
  EXPECT_FALSE(asked[0].json);
}

TEST_F(Configuration, IsOnlyComparedIfTheQuerySaysSo) {
  reply = {422, "{}", true};
  for (const char* query : {"?dry_run&json", "?json&dry_run"}) {
    const auto response = ask("PUT", std::string("/config") + query, "version: 1\n");
    EXPECT_EQ(response.result_int(), 422u);
    EXPECT_EQ(response["Content-Type"], "application/json");
    EXPECT_TRUE(asked.back().dry_run);
    EXPECT_TRUE(asked.back().json);
  }
}

TEST_F(Configuration, IsNotTakenIfTheRequestIsUnclear) {
  for (const char* query : {"?dryrun", "?dry_run=true", "?dry_run&x", "?&dry_run"}) {
    EXPECT_EQ(ask("PUT", std::string("/config") + query, "version: 1\n").result_int(), 400u) << query;
  }
  EXPECT_EQ(ask("PUT", "/config").result_int(), 400u) << "an empty body";
  const auto response = ask("POST", "/config", "version: 1");
  EXPECT_EQ(response.result_int(), 405u);
  EXPECT_EQ(response["Allow"], "GET, HEAD, PUT");
  EXPECT_EQ(ask("PUT", "/reload").result_int(), 405u);
  EXPECT_TRUE(asked.empty());
}

TEST_F(Configuration, HasALimitOfItsOwn) {
  EXPECT_EQ(ask("PUT", "/config", std::string(100'000, 'x')).result_int(), 200u);
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].yaml.size(), 100'000u);
  EXPECT_EQ(ask("PUT", "/config", std::string(100'001, 'x')).result_int(), 413u);
  EXPECT_EQ(ask("POST", "/upgrade", std::string(11, 'x')).result_int(), 413u) << "the usual one";
  Client client(admin->listener());
  client.send("POST /upgrade HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n");
  while (!client.is_readable()) context.run_one_for(10ms);
  EXPECT_EQ(client.receive().result_int(), 413u) << "also without a length";
  EXPECT_EQ(asked.size(), 1u);
}

TEST_F(Configuration, IsNeitherShownNorTakenOverTcp) {
  replace_admin(AF_INET);
  const auto shown = ask("GET", "/config");
  EXPECT_EQ(shown.result_int(), 403u);
  EXPECT_EQ(shown.body(), "the configuration is shown only on a Unix socket (admin.bind), or with admin.token");
  const auto taken = ask("PUT", "/config", "version: 1");
  EXPECT_EQ(taken.result_int(), 403u);
  EXPECT_EQ(taken.body(),
            "commands are accepted only on a Unix socket (admin.bind); without admin.token this address is read-only");
  EXPECT_EQ(ask("PUT", "/config", std::string(11, 'x')).result_int(), 413u)
      << "and no more is read than of any request";
  EXPECT_TRUE(asked.empty());
}

TEST(ConfigurationReply, SaysWhatChanges) {
  const std::vector<Change> changes{{Change::What::route, "api", Change::How::changed, {"upstream", "match.path"}},
                                    {Change::What::server, "app/\xff:1", Change::How::added}};
  EXPECT_EQ(configuration_text(true, "done", changes),
            "done\nchanged route `api`: upstream, match.path\nadded server `app/\xff:1`");
  EXPECT_EQ(configuration_text(true, "", {}), "no change");
  EXPECT_EQ(configuration_text(false, "3:1: no", {}), "3:1: no") << "what is not valid cannot be compared";
  EXPECT_EQ(configuration_text(false, "no", {changes.front()}), "no\nchanged route `api`: upstream, match.path");
  EXPECT_EQ(configuration_json(true, "done", changes),
            R"({"result":"ok","text":"done","changes":[)"
            R"({"what":"route","name":"api","change":"changed","keys":["upstream","match.path"]},)"
            "{\"what\":\"server\",\"name\":\"app/\uFFFD:1\",\"change\":\"added\",\"keys\":[]}]}");
  EXPECT_EQ(configuration_json(false, "3:1: no", {}), R"({"result":"failed","text":"3:1: no","changes":[]})");
}

}  // namespace
}  // namespace baton::admin
