// What a PROXY header of version 2 says besides addresses goes on to servers.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "harness/baton.hpp"
#include "harness/stream.hpp"

namespace baton::harness {
namespace {

using namespace std::string_literals;

const std::string second_version =
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc6\x33\x64\x07\x0a\x00\x00\x01\x12\x34\x00\x50"s;

class HeaderFields : public testing::Test {
 protected:
  Settings between(const std::string& trusted = "127.0.0.1") {
    Settings settings;
    settings.binds = {web};
    settings.topology =
        "listeners:\n  - { name: web, bind: \"" + web.text() +
        "\", proxy_protocol: require }\n  - { name: raw, bind: \"" + raw.text() +
        "\", protocol: tcp, proxy_protocol: require }\nupstreams:\n  - { name: app, proxy_protocol: v2, "
        "servers: [ { address: \"" +
        server.text() + "\" } ] }\n";
    settings.handoff += ", finish_timeout: 100ms";
    settings.more = "trusted_proxies: [ " + trusted + " ]\n";
    return settings;
  }
  // What the next connection to the server begins with: the fields of its PROXY header, after IPv4 addresses.
  std::string fields_at_server() {
    const Fd socket(::accept(listener_.get(), nullptr, nullptr));
    Stream stream{Fd(::dup(socket.get()))};
    const std::string fixed = stream.read_exactly(16);
    EXPECT_EQ(fixed.substr(12, 2), "\x21\x11");
    const auto bytes =
        static_cast<std::size_t>(static_cast<unsigned char>(fixed[14]) << 8 | static_cast<unsigned char>(fixed[15]));
    const std::string rest = stream.read_exactly(bytes);
    client_ = rest.substr(0, 4);
    EXPECT_EQ(stream.read_through("\r\n\r\n").substr(0, 5), "GET /");
    stream.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    return rest.substr(12);
  }

  // An authority, SSL with a client's name, one of a vendor; between them what is only of this header.
  const std::string kept =
      "\x02\x00\x09"s + "a.example" + "\x20\x00\x0b\x07\0\0\0\0\x22\x00\x03"s + "ann" + "\xea\x00\x04\x01vpc"s;
  const std::string with_fields = second_version.substr(0, 14) + static_cast<char>(0) +
                                  static_cast<char>(12 + kept.size() + 4) + second_version.substr(16) +
                                  kept.substr(0, 12) + "\x04\x00\x01."s + kept.substr(12);
  std::string client_;
  const Address web = loopback(free_port());
  const Address raw = loopback(free_port());
  Address server = loopback(0);

 private:
  const Fd listener_ = listen_on(server);
};

TEST_F(HeaderFields, GoOnToTheServerFromEachProcess) {
  Baton baton(between());
  for (const Address& to : {web, raw}) {
    Client client(to);
    client.send(with_fields + get_request("/"));
    EXPECT_EQ(fields_at_server(), kept) << to.text();
    EXPECT_EQ(client_, "\xc6\x33\x64\x07");
    EXPECT_EQ(client.response().status(), 200);
  }
  Client idle(web);
  Client half(raw);
  idle.send(with_fields);
  half.send(with_fields.substr(0, 40));
  baton.await_number("connections.idle", 1);
  baton.await_number("connections.head", 1);
  for (int i = 0; i < 2; ++i) {
    const std::string report = baton.upgrade();
    EXPECT_NE(report.find("taken_back=0, refused=0"), std::string::npos) << report;
  }
  idle.send(get_request("/"));
  EXPECT_EQ(fields_at_server(), kept);
  half.send(with_fields.substr(40) + get_request("/"));
  EXPECT_EQ(fields_at_server(), kept);
  Client without(web);
  without.send(second_version + get_request("/"));
  EXPECT_EQ(fields_at_server(), "");
}

// A proxy says of its own connection who showed a certificate; that does not hold for those behind it.
TEST_F(HeaderFields, AreNotThoseOfAClientBehindTheirs) {
  Baton baton(between("127.0.0.1, 198.51.100.7"));
  Client client(web);
  client.send(with_fields + get_request("/", "X-Forwarded-For: 203.0.113.9\r\n"));
  EXPECT_EQ(fields_at_server(), "");
  EXPECT_EQ(client_, "\xcb\x00\x71\x09"s);
}

// HAProxy says which host its client asked for; Baton passes it on to another HAProxy.
TEST_F(HeaderFields, OfHaproxyReachHaproxy) {
  if (::access("/usr/sbin/haproxy", X_OK) != 0) GTEST_SKIP() << "haproxy is not installed";
  TempDir dir;
  const Address front = loopback(free_port());
  const Address back = loopback(free_port());
  replace_file(dir / "haproxy.cfg",
               "defaults\n  mode http\n  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\n"
               "listen front\n  bind " +
                   front.text() + "\n  unique-id-format id-of-%[src]\n  server baton " + web.text() +
                   " send-proxy-v2 proxy-v2-options crc32c,unique-id\nfrontend back\n  bind " + back.text() +
                   " accept-proxy\n  http-request return status 200 content-type text/plain lf-string "
                   "\"%[fc_pp_unique_id]\"\n");
  server = back;
  Baton baton(between());
  Process haproxy({{"/usr/sbin/haproxy", "-db", "-f", dir / "haproxy.cfg"}});
  await([&] { return is_listening(front) && is_listening(back); }, "haproxy to listen");
  EXPECT_EQ(Client(front).get("/").body, "id-of-127.0.0.1") << haproxy.err();
}

}  // namespace
}  // namespace baton::harness
