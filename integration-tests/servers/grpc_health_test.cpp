// `health.active: { type: grpc }` with a real gRPC server, by grpcio.
#include <gtest/gtest.h>

#include <regex>

#include "harness/baton.hpp"
#include "harness/certificates.hpp"
#include "harness/origin.hpp"
#include "harness/process.hpp"
#include "harness/temp_dir.hpp"

namespace baton::harness {
namespace {

// A gRPC server that says what the test wants.
class GrpcServer {
 public:
  explicit GrpcServer(const std::vector<std::string>& certificate_and_key = {})
      : process_({.argv = command(certificate_and_key), .has_input = true}) {
    const std::string line = process_.await_line(Process::Stream::out, std::regex("^[0-9]+$"));
    address_ = loopback(static_cast<std::uint16_t>(std::stoi(line)));
  }

  const Address& address() const { return address_; }
  void answer(const std::string& what) {
    process_.type(what + "\n");
    process_.await_line(Process::Stream::out, std::regex("^" + what + "$"));
  }
  void await_check(const std::string& service) {
    process_.await_line(Process::Stream::out, std::regex("^check '" + service + "'$"));
  }

 private:
  static std::vector<std::string> command(const std::vector<std::string>& more) {
    std::vector<std::string> argv{"/usr/bin/python3", GRPC_SERVER};
    argv.insert(argv.end(), more.begin(), more.end());
    return argv;
  }

  Process process_;
  Address address_;
};

// An upstream with one server, which gets no requests while it is down.
Settings settings(const Address& server, const std::string& active, const std::string& more = "") {
  Settings made;
  made.binds = {loopback(free_port())};
  made.topology = "listeners: [ { name: web, bind: \"" + made.binds[0].text() +
                  "\" } ]\n"
                  "upstreams:\n"
                  "  - name: app\n"
                  "    servers: [ { address: \"" +
                  server.text() + "\" } ]\n    when_none_is_up: refuse\n    health: { active: { type: grpc, " + active +
                  "every: 100ms, timeout: 30s, up: 1, down: 1 } }\n" + more;
  return made;
}

void await_down(Baton& baton, const std::string& why) {
  baton.await_log(std::regex("upstream app: server .* is down: " + why + " \\(1 probe\\)"));
}
void await_up(Baton& baton) {
  baton.await_log(std::regex("upstream app: server .* is up \\(1 probe\\)"));
}

// Requests go to the origin, checks to the gRPC server beside it.
TEST(GrpcHealth, AServerGetsRequestsWhileItsHealthServiceSaysThatItServes) {
  const Origin origin;
  GrpcServer grpc;
  Baton baton(settings(origin.address(), "service: shop.Orders, port: " + std::to_string(grpc.address().port) + ", "));
  grpc.await_check("shop.Orders");
  Client client = baton.connect();
  EXPECT_EQ(client.get("/bytes/5").status(), 200);
  const std::pair<const char*, const char*> answers[] = {
      {"NOT_SERVING", "it is NOT_SERVING"},
      {"UNIMPLEMENTED", "gRPC status 12 \\(UNIMPLEMENTED\\): it has no grpc.health.v1.Health"},
      {"NOT_FOUND", "gRPC status 5 \\(NOT_FOUND\\): it does not know this service"}};
  for (const auto& [answer, why] : answers) {
    grpc.answer(answer);
    await_down(baton, why);
    EXPECT_EQ(client.get("/bytes/5").status(), 503);
    grpc.answer("SERVING");
    await_up(baton);
    EXPECT_EQ(client.get("/bytes/5").status(), 200);
  }
}

TEST(GrpcHealth, WhatIsKnownGoesWithAnUpgradeAndTheSuccessorAsks) {
  const Origin origin;
  GrpcServer grpc;
  Baton baton(settings(origin.address(), "port: " + std::to_string(grpc.address().port) + ", "));
  grpc.answer("NOT_SERVING");
  await_down(baton, "it is NOT_SERVING");
  baton.upgrade();
  EXPECT_EQ(baton.connect().get("/bytes/5").status(), 503);
  EXPECT_EQ(baton.count_log_lines(std::regex("is down: it is NOT_SERVING")), 1u);
  grpc.answer("SERVING");
  await_up(baton);
  EXPECT_EQ(baton.connect().get("/bytes/5").status(), 200);
  grpc.await_check("");
}

TEST(GrpcHealth, AServerThatSpeaksOnlyHttp1IsDown) {
  const Origin origin;
  Baton baton(settings(origin.address(), ""));
  await_down(baton, "it does not speak HTTP/2");
}

TEST(GrpcHealth, AsksOverTlsAsRequestsGo) {
  const TempDir directory;
  Authority authority(directory);
  const Certificate certificate = authority.issue({"127.0.0.1"});
  GrpcServer grpc({certificate.cert, certificate.key});
  Baton baton(settings(grpc.address(), "", "    tls: { ca: " + authority.path() + " }\n"));
  grpc.await_check("");
  grpc.answer("NOT_SERVING");
  await_down(baton, "it is NOT_SERVING");
  grpc.answer("SERVING");
  await_up(baton);
}

TEST(GrpcHealth, FailsOverTlsWhereRequestsWould) {
  const TempDir directory, other_directory;
  Authority authority(directory), other(other_directory);
  const Certificate certificate = authority.issue({"127.0.0.1"});
  const GrpcServer grpc({certificate.cert, certificate.key});
  Baton distrusting(settings(grpc.address(), "", "    tls: { ca: " + other.path() + " }\n"));
  await_down(distrusting, "TLS: .*certificate verify failed.*");
  Baton plain(settings(grpc.address(), ""));
  await_down(plain, "it (does not speak HTTP/2|closed the connection without an answer|reset the connection)");
}

// OpenSSL's own server knows no ALPN unless it is told.
TEST(GrpcHealth, NeedsAServerThatAgreesOnHttp2) {
  const TempDir directory;
  Authority authority(directory);
  const Certificate certificate = authority.issue({"127.0.0.1"});
  const Address address = loopback(free_port());
  std::vector<std::string> argv{"openssl", "s_server",       "-accept", address.text(),
                                "-cert",   certificate.cert, "-key",    certificate.key};
  const std::string tls = "    tls: { ca: " + authority.path() + " }\n";
  {
    Process server({.argv = argv, .has_input = true});
    server.await_line(Process::Stream::out, std::regex("^ACCEPT"));
    Baton baton(settings(address, "", tls));
    await_down(baton, "TLS: it does not agree on h2 \\(ALPN\\)");
  }
  argv.insert(argv.end(), {"-alpn", "http/1.1"});
  Process server({.argv = argv, .has_input = true});
  server.await_line(Process::Stream::out, std::regex("^ACCEPT"));
  Baton baton(settings(address, "", tls));
  await_down(baton, "TLS: .*");
}

}  // namespace
}  // namespace baton::harness
