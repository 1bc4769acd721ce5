// What clients of the admin interface get, hostile ones included.
#include "proxy/admin/admin.hpp"

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>

#include <atomic>
#include <optional>
#include <thread>

#include "proxy/admin/testing/client.hpp"

namespace baton::admin {
namespace {

using namespace std::chrono_literals;
namespace http = boost::beast::http;

// A server in its own thread, on a Unix and a TCP socket in turn.
class Clients : public testing::TestWithParam<int> {
 protected:
  Clients() { start({}); }
  ~Clients() override { stop(); }

  void start(const Limits& limits) {
    context_.emplace(1);
    guard_.emplace(boost::asio::make_work_guard(*context_));
    admin_.emplace(*context_,
                   Source{[this] { return ready.load(); },
                          [](const auto& answer) {
                            Status status;
                            status.generation = 3;
                            answer(status);
                          }},
                   limits);
    admin_->listen(make_listener(GetParam()));
    thread_ = std::thread([this] { context_->run(); });
  }
  void stop() {
    boost::asio::post(*context_, [this] { admin_.reset(); });
    guard_.reset();
    thread_.join();  // ends, since nothing of the server waits any more
  }
  void restart(const Limits& limits) {
    stop();
    start(limits);
  }
  Client connect() const { return Client(admin_->listener()); }

  std::atomic<bool> ready = true;

 private:
  std::optional<boost::asio::io_context> context_;
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> guard_;
  std::optional<Admin> admin_;
  std::thread thread_;
};

INSTANTIATE_TEST_SUITE_P(Of, Clients, testing::Values(AF_UNIX, AF_INET),
                         [](const auto& family) { return family.param == AF_UNIX ? "Unix" : "Tcp"; });

TEST_P(Clients, LearnItsHealthAndReadiness) {
  Client client = connect();
  EXPECT_EQ(client.get("/healthz").body(), "ok");
  EXPECT_EQ(client.get("/readyz").body(), "ready");
  ready = false;
  const auto draining = client.get("/readyz?verbose");
  EXPECT_EQ(draining.result_int(), 503u);
  EXPECT_EQ(draining.body(), "draining");
  EXPECT_EQ(client.get("/healthz").result_int(), 200u);
}

TEST_P(Clients, GetThePageWithTheStatusInIt) {
  const auto response = connect().get("/");
  EXPECT_EQ(response.result_int(), 200u);
  EXPECT_EQ(response[http::field::content_type], "text/html; charset=utf-8");
  EXPECT_TRUE(response["Content-Security-Policy"].starts_with("default-src 'none'; "));
  EXPECT_EQ(response["X-Content-Type-Options"], "nosniff");
  EXPECT_NE(response.body().find("<td>Generation</td><td>3</td>"), std::string::npos);
}

TEST_P(Clients, GetTheStatusAsJson) {
  const auto response = connect().get("/status");
  EXPECT_EQ(response.result_int(), 200u);
  EXPECT_EQ(response[http::field::content_type], "application/json");
  EXPECT_EQ(boost::json::parse(response.body()).at("generation").to_number<int>(), 3);
}

TEST_P(Clients, GetTheSameHeadWithoutABodyForHead) {
  Client client = connect();
  for (const auto* target : {"/healthz", "/readyz", "/status", "/nothing"}) {
    const auto whole = client.get(target);
    const auto head = client.ask("HEAD", target);
    EXPECT_EQ(head.result(), whole.result());
    EXPECT_EQ(head[http::field::content_length], whole[http::field::content_length]);
    EXPECT_EQ(head.body(), "");
  }
}

TEST_P(Clients, LearnWhatIsNotThereAndWhatIsNotAllowed) {
  Client client = connect();
  EXPECT_EQ(client.get("/status/").result_int(), 404u);
  EXPECT_EQ(client.ask("POST", "/downgrade").result_int(), 404u);
  EXPECT_EQ(client.ask("DELETE", "*").result_int(), 404u);
  for (const auto* method : {"POST", "PUT", "DELETE", "OPTIONS", "BREW"}) {
    const auto response = client.ask(method, "/status");
    EXPECT_EQ(response.result_int(), 405u);
    EXPECT_EQ(response[http::field::allow], "GET, HEAD");
  }
  EXPECT_EQ(client.ask("POST", "/healthz", "Content-Length: 0\r\n").result_int(), 405u);
  client.send("POST /status HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(client.receive().result_int(), 405u);
  EXPECT_EQ(client.get("/healthz").result_int(), 200u) << "the body was taken as such";
}

TEST_P(Clients, MayAskManyTimesAtOnceAndAreAnsweredInOrder) {
  Client client = connect();
  std::string requests;
  for (int i = 0; i < 100; ++i) {
    requests += "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /missing HTTP/1.1\r\nHost: a\r\n\r\n";
  }
  client.send(requests);
  client.end_sending();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(client.receive().result_int(), 200u);
    EXPECT_EQ(client.receive().result_int(), 404u);
  }
  EXPECT_TRUE(client.has_ended());
}

TEST_P(Clients, MaySendAHeadByteByByte) {
  Client client = connect();
  for (const char byte : std::string("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")) client.send({&byte, 1});
  EXPECT_EQ(client.receive().body(), "ok");
}

TEST_P(Clients, AreClosedWhenTheyAskForItOrSpeakHttp10) {
  Client asking = connect();
  EXPECT_FALSE(asking.ask("GET", "/healthz", "Connection: close\r\n").keep_alive());
  EXPECT_TRUE(asking.has_ended());
  Client old = connect();
  old.send("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.receive().version(), 10u);
  EXPECT_TRUE(old.has_ended());
}

TEST_P(Clients, ThatSendGarbageLoseOnlyTheirOwnConnection) {
  Client good = connect();
  EXPECT_EQ(good.get("/healthz").result_int(), 200u);
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  for (const std::string& garbage :
       {std::string("\r\n\r\nnonsense\r\n\r\n"), every_byte, std::string("GET / HTTP/9.9\r\n\r\n"),
        std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
        std::string("POST /status HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        std::string("POST /status HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")}) {
    Client bad = connect();
    bad.send(garbage);
    const auto response = bad.receive();
    EXPECT_EQ(response.result_int(), 400u) << garbage;
    EXPECT_FALSE(response.keep_alive());
    bad.end_sending();
    EXPECT_TRUE(bad.has_ended());
  }
  EXPECT_EQ(good.get("/healthz").result_int(), 200u);
}

TEST_P(Clients, ThatSendTooMuchAreTold) {
  Client large_head = connect();
  large_head.send("GET /healthz HTTP/1.1\r\nX: " + std::string(20'000, 'x'));
  EXPECT_EQ(large_head.receive().result_int(), 431u);
  Client large_body = connect();
  large_body.send("POST /status HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x'));
  EXPECT_EQ(large_body.receive().result_int(), 413u);
  large_body.end_sending();
  EXPECT_TRUE(large_body.has_ended());
  Client many_chunks = connect();
  std::string chunks;
  for (int i = 0; i < 4000; ++i) chunks += "8\r\n12345678\r\n";
  many_chunks.send("POST /status HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks);
  EXPECT_EQ(many_chunks.receive().result_int(), 413u);
}

TEST_P(Clients, ThatLeaveInTheMiddleAreForgotten) {
  for (const auto* begun :
       {"", "GET", "GET /status HTTP/1.1\r\nHost", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"}) {
    Client leaving = connect();
    leaving.send(begun);
    leaving.end_sending();
    EXPECT_TRUE(leaving.has_ended()) << begun;
  }
  {
    connect().send("GET /status HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  EXPECT_EQ(connect().get("/healthz").result_int(), 200u);
}

TEST_P(Clients, AreClosedWhenTheirHeadTakesTooLong) {
  restart({.exchange = 20ms});
  Client slow = connect();
  slow.send("GET /healthz HTT");
  EXPECT_TRUE(slow.has_ended());
}

TEST_P(Clients, AreClosedWhenTheyAreIdleForTooLong) {
  restart({.idle = 300ms});
  Client client = connect();
  EXPECT_TRUE(client.has_ended()) << "without a first request";
  Client second = connect();
  EXPECT_EQ(second.get("/healthz").result_int(), 200u);
  EXPECT_TRUE(second.has_ended()) << "and without a second one";
}

TEST_P(Clients, ThatNeverReadAreClosed) {
  restart({.idle = 60s, .exchange = 20ms});
  Client deaf = connect();
  std::string requests;
  for (int i = 0; i < 1000; ++i) requests += "GET /status HTTP/1.1\r\nHost: a\r\n\r\n";
  // Until the server, which waits for us to read, closes instead.
  EXPECT_THROW(for (;;) deaf.send(requests), std::system_error);
}

}  // namespace
}  // namespace baton::admin
