// What a probe makes of servers that answer, lie, hang, or are gone.
#include "proxy/health/prober.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <mutex>
#include <string_view>
#include <thread>

#include "handoff/unique_fd.hpp"

namespace baton::health {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char client_hello = 0x16;  // the type of the record that begins TLS

// Takes one connection after the other, reads a request and says the same to each.
class Server {
 public:
  enum class Then { closes, resets, hangs };

  explicit Server(std::string answer, Then then = Then::closes) : answer_(std::move(answer)), then_(then) {
    sockaddr_in bound{};
    bound.sin_family = AF_INET;
    bound.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof bound;
    listener_ = handoff::UniqueFd(::socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&bound), length), 0);
    EXPECT_EQ(::listen(listener_.get(), 16), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&bound), &length), 0);
    sockaddr_storage storage{};
    std::copy_n(reinterpret_cast<const char*>(&bound), sizeof bound, reinterpret_cast<char*>(&storage));
    address = state::SocketAddress::from_sockaddr(storage, length);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

  std::string request() const {
    const std::lock_guard lock(mutex_);
    return request_;
  }
  state::SocketAddress address;

 private:
  void serve() {
    std::vector<handoff::UniqueFd> hanging;
    for (;;) {
      handoff::UniqueFd socket(::accept(listener_.get(), nullptr, nullptr));
      if (!socket) return;
      std::string got;
      char part[1024];
      while (got.find("\r\n\r\n") == std::string::npos && !got.starts_with(client_hello)) {
        const ssize_t size = ::read(socket.get(), part, sizeof part);
        if (size <= 0) break;
        got.append(part, static_cast<std::size_t>(size));
      }
      {
        const std::lock_guard lock(mutex_);
        request_ = got;
      }
      [[maybe_unused]] const auto sent = ::send(socket.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
      if (then_ == Then::hangs) hanging.push_back(std::move(socket));
      if (then_ == Then::resets) {
        const linger at_once{1, 0};
        ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      }
    }
  }

  const std::string answer_;
  const Then then_;
  handoff::UniqueFd listener_;
  mutable std::mutex mutex_;
  std::string request_;
  std::thread thread_;
};

std::string result_of(Target target) {
  std::promise<std::string> promise;
  Prober prober([&](std::uint64_t, const std::string& result) { promise.set_value(result); });
  prober.probe(1, std::move(target));
  return promise.get_future().get();
}

Target target(const Server& server, std::chrono::milliseconds timeout = 60s) {
  return {.address = server.address, .host = "app.test", .terms = {.timeout = timeout}};
}

std::string result_of(const std::string& answer, Server::Then then = Server::Then::closes) {
  const Server server(answer, then);
  return result_of(target(server));
}

TEST(Probe, AServerThatAnswersIsWell) {
  EXPECT_EQ(result_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), "");
  EXPECT_EQ(result_of("HTTP/1.0 399 x\r\n\r\n"), "");
  EXPECT_EQ(result_of("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 None\r\n\r\n"),
            "");
  EXPECT_EQ(result_of("HTTP/1.1 200 OK\r\n\r\n", Server::Then::hangs), "") << "nobody waits for the body";
}

// Its server expects a PROXY header from everybody.
TEST(Probe, SaysThatItIsNobodysConnection) {
  const Server server("HTTP/1.1 200 OK\r\n\r\n");
  Target probed = target(server);
  probed.proxy_header = arrival::ProxyVersion::v2;
  EXPECT_EQ(result_of(probed), "");
  const std::string nobody("\r\n\r\n\0\r\nQUIT\n \0\0\0", 16);  // LOCAL
  EXPECT_EQ(server.request().substr(0, nobody.size()), nobody);
  probed.proxy_header = arrival::ProxyVersion::v1;
  EXPECT_EQ(result_of(probed), "");
  EXPECT_THAT(server.request(), StartsWith("PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n"));
}

TEST(Probe, AWrongStatusIsNamed) {
  EXPECT_EQ(result_of("HTTP/1.1 503 Busy\r\n\r\n"), "status 503");
  EXPECT_EQ(result_of("HTTP/1.1 400 Bad\r\n\r\n"), "status 400");
}

TEST(Probe, LiesAreFailures) {
  EXPECT_EQ(result_of("garbage\n"), "its answer is not HTTP");
  EXPECT_THAT(result_of("garbage\r\n\r\n"), StartsWith("its answer is malformed"));
  EXPECT_EQ(result_of("HTTP/1.1 200 OK\r\nConte"), "its answer ends in the head");
  EXPECT_EQ(result_of("HTTP/1.1 100 Continue\r\n\r\n"), "it closed the connection without an answer");
  EXPECT_EQ(result_of(""), "it closed the connection without an answer");
  EXPECT_EQ(result_of("", Server::Then::resets), "it reset the connection");
  EXPECT_EQ(result_of("HTTP/1.1 200 OK\r\nA: " + std::string(40'000, 'x')), "the head of its answer is too large");
  std::string interim;
  for (int i = 0; i < 20; ++i) interim += "HTTP/1.1 102 Processing\r\n\r\n";
  EXPECT_EQ(result_of(interim), "it sends only interim answers");
}

TEST(Probe, AServerThatHangsIsGivenUp) {
  const Server silent("", Server::Then::hangs);
  EXPECT_EQ(result_of(target(silent, 100ms)), "no answer within 100 ms");
  const Server slow("HTTP/1.1 200 OK\r\n", Server::Then::hangs);
  EXPECT_EQ(result_of(target(slow, 100ms)), "no answer within 100 ms");
}

TEST(Probe, AServerThatIsGoneIsNamed) {
  state::SocketAddress address;
  {
    const Server server("");
    address = server.address;
  }
  EXPECT_EQ(result_of(Target{.address = address, .terms = {.timeout = 60s}}), "Connection refused");
  state::SocketAddress path;
  path.family = state::Family::unix_path;
  path.path = std::string("/nonexistent/socket");
  EXPECT_EQ(result_of(Target{.address = path}), "No such file or directory");
}

TEST(Probe, OfTypeTcpOnlyConnects) {
  const Server server("garbage");
  Target tcp = target(server);
  tcp.terms.type = config::ProbeType::tcp;
  EXPECT_EQ(result_of(tcp), "");
}

TEST(Probe, AsksForThePathOfTheConfiguredHost) {
  const Server server("HTTP/1.1 204 None\r\n\r\n");
  Target asked = target(server);
  asked.terms.path = "/healthz?a=b";
  EXPECT_EQ(result_of(asked), "");
  EXPECT_EQ(server.request(), "GET /healthz?a=b HTTP/1.1\r\nHost: app.test:" + std::to_string(server.address.port) +
                                  "\r\nUser-Agent: baton-health\r\nConnection: close\r\n\r\n");
  asked.terms.host = "other.test";
  EXPECT_EQ(result_of(asked), "");
  EXPECT_THAT(server.request(), HasSubstr("\r\nHost: other.test\r\n"));
}

TEST(Probe, UsesThePortOfTheCheck) {
  const Server server("HTTP/1.1 200 OK\r\n\r\n"), other("HTTP/1.1 500 Broken\r\n\r\n");
  Target asked = target(server);
  asked.terms.port = other.address.port;
  EXPECT_EQ(result_of(asked), "status 500");
}

TEST(Probe, WithTlsFailsWhereTheProxyWould) {
  const Server plain("HTTP/1.1 400 Bad\r\n\r\n");
  Target asked = target(plain);
  asked.tls = std::make_shared<tls::ClientContext>(config::UpstreamTls{});
  EXPECT_THAT(result_of(asked), StartsWith("TLS: "));
}

TEST(Prober, EndsWhileProbesAreUnderWay) {
  const Server silent("", Server::Then::hangs);
  Prober prober([](std::uint64_t, const std::string&) { ADD_FAILURE() << "no result was due"; });
  for (std::uint64_t id = 1; id <= 20; ++id) prober.probe(id, target(silent));
}

}  // namespace
}  // namespace baton::health
