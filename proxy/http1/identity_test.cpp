#include "proxy/http1/identity.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace baton::http1 {
namespace {

using state::Family;
using state::SocketAddress;
using testing::ElementsAre;

const routing::TrustedProxies trusted{
    {{config::parse_network("10.0.0.0/8").value(), config::parse_network("2001:db8:1::/48").value()}, true}};

struct Account {
  std::string refused;
  std::vector<std::string> chain;
  std::string scheme;
  std::string host;
};

Account account_of(const std::string& fields, const SocketAddress& peer = parse_node("10.0.0.1")) {
  const std::string raw = "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
  RequestHead head;
  EXPECT_FALSE(parse_request_head(raw, {}, head)) << raw;
  Identity identity;
  identify(head, peer, trusted, identity);
  if (identity.error) return {.refused = std::string(identity.error.text), .chain = {}, .scheme = {}, .host = {}};
  Account account{
      .refused = {}, .chain = {}, .scheme = std::string(identity.scheme), .host = std::string(identity.host)};
  for (const SocketAddress& one : identity.chain) account.chain.push_back(one.node_text());
  return account;
}

std::vector<std::string> chain_of(const std::string& fields) {
  return account_of(fields).chain;
}

TEST(Node, IsAnAddressWithOrWithoutAPort) {
  for (const char* text : {"192.0.2.1", "192.0.2.1:80", "192.0.2.1:_hidden", "192.0.2.1:"}) {
    EXPECT_EQ(parse_node(text).node_text(), "192.0.2.1") << text;
  }
  EXPECT_EQ(parse_node("192.0.2.1:80").port, 80);
  for (const char* text : {"2001:db8::1", "[2001:db8::1]", "[2001:DB8::1]:443", "[2001:db8:0:0::1]:_x"}) {
    EXPECT_EQ(parse_node(text).node_text(), "2001:db8::1") << text;
  }
  EXPECT_EQ(parse_node("[2001:db8::1]:443").port, 443);
  EXPECT_EQ(parse_node("::ffff:192.0.2.1").node_text(), "192.0.2.1");
}

TEST(Node, IsUnknownWhereItIsNoAddress) {
  for (const char* text : {"",
                           "unknown",
                           "_hidden",
                           "localhost",
                           "192.0.2.1:80:80x",
                           "192.0.2.1:65536",
                           "192.0.2.1:8 0",
                           "192.0.2",
                           "1",
                           "[192.0.2.1]",
                           "[2001:db8::1",
                           "2001:db8::1]",
                           "[2001:db8::1]443",
                           "[2001:db8::1]:x",
                           "fe80::1%eth0",
                           "[]",
                           ":",
                           "192.0.2.1 ",
                           "0x7f.1",
                           "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"}) {
    EXPECT_EQ(parse_node(text).family, Family::none) << text;
  }
}

TEST(Identity, IsThePeerWhereNobodyNamesAnother) {
  EXPECT_THAT(chain_of(""), ElementsAre("10.0.0.1"));
  EXPECT_THAT(chain_of("X-Forwarded-For: \r\nX-Forwarded-For: , ,\r\nForwarded: \r\n"), ElementsAre("10.0.0.1"));
}

TEST(Identity, IsTheFirstAddressFromTheRightThatIsNotTrusted) {
  EXPECT_THAT(chain_of("X-Forwarded-For: 192.0.2.1\r\n"), ElementsAre("192.0.2.1", "10.0.0.1"));
  EXPECT_THAT(chain_of("X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.9.9.9\r\n"),
              ElementsAre("192.0.2.1", "10.9.9.9", "10.0.0.1"));
  EXPECT_THAT(chain_of("X-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: 192.0.2.1\r\nX-FORWARDED-FOR:10.9.9.9:80\r\n"),
              ElementsAre("192.0.2.1", "10.9.9.9", "10.0.0.1"));
  EXPECT_THAT(chain_of("Forwarded: for=6.6.6.6, for=192.0.2.1;proto=https, For=\"[2001:db8:1::9]:4711\"\r\n"),
              ElementsAre("192.0.2.1", "2001:db8:1::9", "10.0.0.1"));
}

TEST(Identity, IsTheFarthestProxyWhereAllAreTrusted) {
  EXPECT_THAT(chain_of("X-Forwarded-For: 10.2.2.2, 10.3.3.3\r\n"), ElementsAre("10.2.2.2", "10.3.3.3", "10.0.0.1"));
}

TEST(Identity, IsUnknownWhereNoAddressStands) {
  EXPECT_THAT(chain_of("X-Forwarded-For: 10.2.2.2, unknown, 10.3.3.3\r\n"),
              ElementsAre("unknown", "10.3.3.3", "10.0.0.1"));
  for (const char* node : {"unknown", "_hidden", "\"_gazonk\"", "\"[2001:db8:1::9\"", "\"\\10.0.0.2\"", "\"\""}) {
    EXPECT_THAT(chain_of("Forwarded: for=10.2.2.2, for=" + std::string(node) + "\r\n"),
                ElementsAre("unknown", "10.0.0.1"))
        << node;
  }
  EXPECT_THAT(chain_of("Forwarded: for=10.2.2.2, proto=https\r\n"), ElementsAre("unknown", "10.0.0.1"));
}

TEST(Identity, OtherSpellingsAndOtherFieldsNameNobody) {
  EXPECT_THAT(
      chain_of(
          "X_Forwarded_For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Client-IP: 6.6.6.6\r\nX.Forwarded.For: 6.6.6.6\r\n"),
      ElementsAre("10.0.0.1"));
}

TEST(Identity, APeerOfAUnixSocketIsNotPassedOn) {
  SocketAddress peer;
  peer.family = Family::unix_path;
  EXPECT_THAT(account_of("X-Forwarded-For: 192.0.2.1, 10.1.1.1\r\n", peer).chain, ElementsAre("192.0.2.1", "10.1.1.1"));
  EXPECT_THAT(account_of("", peer).chain, ElementsAre("unknown"));
}

TEST(Identity, SchemeAndHostAreThoseOfTheClientsOwnRequest) {
  const Account one =
      account_of("X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: HTTPS\r\nX-Forwarded-Host: a.test:81\r\n");
  EXPECT_EQ(one.scheme, "https");
  EXPECT_EQ(one.host, "a.test:81");
  // Three proxies have spoken; a client invented what is left of them.
  const Account three = account_of(
      "X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.1.1.1, 10.2.2.2\r\nX-Forwarded-Proto: https, http, https, https\r\n"
      "X-Forwarded-Host: evil, a.test, b.test, c.test\r\n");
  EXPECT_EQ(three.scheme, "http");
  EXPECT_EQ(three.host, "a.test");
  const Account kept = account_of("X-Forwarded-For: 192.0.2.1, 10.1.1.1\r\nX-Forwarded-Proto: https\r\n");
  EXPECT_EQ(kept.scheme, "https");
  const Account forwarded = account_of(
      "Forwarded: for=6.6.6.6;proto=https;host=evil, for=192.0.2.1;host=\"a.test:81\";proto=http, "
      "for=10.2.2.2;proto=https\r\n");
  EXPECT_EQ(forwarded.scheme, "http");
  EXPECT_EQ(forwarded.host, "a.test:81");
}

// Some proxies say so of requests that open a WebSocket (RFC 6455 §3).
TEST(Identity, TheSchemesOfWebSocketsAreThoseBelowThem) {
  EXPECT_EQ(account_of("X-Forwarded-Proto: ws\r\n").scheme, "http");
  EXPECT_EQ(account_of("X-Forwarded-Proto: WSS\r\n").scheme, "https");
  const Account both = account_of("X-Forwarded-Proto: ws\r\nForwarded: proto=http\r\n");
  EXPECT_EQ(both.scheme, "http") << "they do not contradict each other: " << both.refused;
  EXPECT_EQ(account_of("X-Forwarded-Proto: ws\r\nForwarded: proto=https\r\n").scheme, "");
}

TEST(Identity, WhatIsNoSchemeAndNoHostIsNotBelieved) {
  const Account account =
      account_of("X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Host: a b\"\r\n");
  EXPECT_EQ(account.scheme, "");
  EXPECT_EQ(account.host, "");
}

TEST(Identity, TwoAccountsThatAgreeCompleteEachOther) {
  const Account account = account_of(
      "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nForwarded: for=\"192.0.2.1:4711\";host=a.test\r\n");
  EXPECT_THAT(account.chain, ElementsAre("192.0.2.1", "10.0.0.1"));
  EXPECT_EQ(account.scheme, "https");
  EXPECT_EQ(account.host, "a.test");
}

TEST(Identity, TwoAccountsThatContradictEachOtherAreRefused) {
  for (const char* fields :
       {"X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.2\r\n",
        "X-Forwarded-For: 192.0.2.1\r\nForwarded: for=unknown\r\n",
        "X-Forwarded-For: 0.0.0.0\r\nForwarded: for=unknown\r\n",
        "X-Forwarded-For: 192.0.2.1, 10.0.0.2\r\nForwarded: for=10.0.0.2\r\n",
        "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nForwarded: for=192.0.2.1;proto=http\r\n",
        "X-Forwarded-Host: a\r\nForwarded: for=192.0.2.1;host=b\r\n"}) {
    EXPECT_EQ(account_of(fields).refused, "trusted_proxies: X-Forwarded-* and Forwarded contradict each other")
        << fields;
  }
}

// A quote that a client opens must not swallow what the proxy adds behind it.
TEST(Identity, AMalformedForwardedIsRefused) {
  for (const char* value : {"for=\"6.6.6.6, for=192.0.2.1", "for=\"6.6.6.6, for=\"[2001:db8::1]\"", "for", "for=", "=1",
                            "for=1.2.3.4 for=1.2.3.4", "for=1.2.3.4;for=5.6.7.8", "for=1.2.3.4;proto=http;Proto=https",
                            "for=\"1.2.3.4\"x", "for=\"a\\", "192.0.2.1", "for=1.2.3.4;;host", "for =1.2.3.4"}) {
    EXPECT_EQ(account_of("Forwarded: " + std::string(value) + "\r\n").refused, "trusted_proxies: a malformed Forwarded")
        << value;
  }
}

TEST(Identity, OddButSoundElementsAreRead) {
  for (const char* value : {"for=192.0.2.1", "FOR=192.0.2.1;by=x;secret=\"a,b;c\"", " ;; for=192.0.2.1 ; proto=http ;",
                            ",,for=192.0.2.1,,", "for=\"192.0.2.1\",", "for=192.0.2.1:80;host=a:80"}) {
    EXPECT_THAT(chain_of("Forwarded: " + std::string(value) + "\r\n"), ElementsAre("192.0.2.1", "10.0.0.1")) << value;
  }
}

TEST(Identity, IsWrittenForTheNextProgram) {
  const std::vector<SocketAddress> chain{parse_node("2001:db8::1"), SocketAddress{}, parse_node("10.0.0.1:80")};
  std::string text;
  write_x_forwarded_for(chain, text);
  EXPECT_EQ(text, "2001:db8::1, unknown, 10.0.0.1");
  write_forwarded(chain, "[::1]:80", true, text);
  EXPECT_EQ(text, "for=\"[2001:db8::1]\";host=\"[::1]:80\";proto=https, for=unknown, for=10.0.0.1");
  write_forwarded({parse_node("192.0.2.1")}, "", false, text);
  EXPECT_EQ(text, "for=192.0.2.1;proto=http");
}

// What we write, the next instance reads in the same way.
TEST(Identity, IsReadAsItWasWritten) {
  const std::vector<SocketAddress> chain{parse_node("2001:db8::1"), parse_node("10.5.5.5"), parse_node("10.0.0.7")};
  std::string list;
  std::string forwarded;
  write_x_forwarded_for(chain, list);
  write_forwarded(chain, "a.test:1", true, forwarded);
  const Account account = account_of("X-Forwarded-For: " + list + "\r\nForwarded: " + forwarded + "\r\n");
  EXPECT_THAT(account.chain, ElementsAre("2001:db8::1", "10.5.5.5", "10.0.0.7", "10.0.0.1"));
  EXPECT_EQ(account.scheme, "https");
  EXPECT_EQ(account.host, "a.test:1");
}

}  // namespace
}  // namespace baton::http1
