#include "proxy/arrival/proxy_header.hpp"

#include <gtest/gtest.h>

#include <string>

namespace baton::arrival {
namespace {

using namespace std::string_literals;

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string second(char command, char family, const std::string& rest) {
  return signature + command + family + static_cast<char>(rest.size() >> 8) + static_cast<char>(rest.size()) + rest;
}

const std::string v4_addresses = "\xC0\x00\x02\x01\x0A\x00\x00\x01\x12\x34\x00\x50"s;

TEST(ProxyHeader, OfVersion1NamesBothEnds) {
  const std::string text = "PROXY TCP4 192.0.2.1 10.0.0.1 4660 80\r\n";
  const ProxyHeader header = find_proxy_header(text + "GET / HTTP/1.1\r\n");
  ASSERT_EQ(header.found, ProxyHeader::Found::whole);
  EXPECT_EQ(header.bytes, text.size());
  EXPECT_TRUE(header.names_client);
  EXPECT_EQ(header.client.text(), "192.0.2.1:4660");
  EXPECT_EQ(header.server.text(), "10.0.0.1:80");
  EXPECT_EQ(find_proxy_header("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n").client.text(), "[2001:db8::1]:0");
}

TEST(ProxyHeader, OfVersion2NamesBothEnds) {
  const std::string bytes = second('\x21', '\x11', v4_addresses);
  const ProxyHeader header = find_proxy_header(bytes + "more");
  ASSERT_EQ(header.found, ProxyHeader::Found::whole);
  EXPECT_EQ(header.bytes, bytes.size());
  EXPECT_EQ(header.client.text(), "192.0.2.1:4660");
  EXPECT_EQ(header.server.text(), "10.0.0.1:80");
  const std::string v6(16, '\x20');
  EXPECT_EQ(find_proxy_header(second('\x21', '\x21', v6 + v6 + "\x01\x02\x03\x04"s)).client.text(),
            "[2020:2020:2020:2020:2020:2020:2020:2020]:258");
  const std::string path = "/run/client"s + std::string(97, '\0');
  EXPECT_EQ(find_proxy_header(second('\x21', '\x31', path + path)).client.text(), "unix:/run/client");
}

TEST(ProxyHeader, MayNameNobody) {
  for (const std::string& bytes :
       {"PROXY UNKNOWN\r\n"s, "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"s, second('\x20', '\0', ""),
        second('\x20', '\x11', v4_addresses), second('\x20', '\x55', "anything"), second('\x21', '\0', "xyz")}) {
    const ProxyHeader header = find_proxy_header(bytes);
    EXPECT_EQ(header.found, ProxyHeader::Found::whole) << bytes;
    EXPECT_EQ(header.bytes, bytes.size());
    EXPECT_FALSE(header.names_client) << bytes;
  }
}

TEST(ProxyHeader, IsIncompleteAtEveryTruncation) {
  for (const std::string& bytes : {"PROXY TCP4 192.0.2.1 10.0.0.1 4660 80\r\n"s, "PROXY UNKNOWN\r\n"s,
                                   second('\x21', '\x11', v4_addresses + "\x04\0\x02zz"s), second('\x20', '\0', "")}) {
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      EXPECT_EQ(find_proxy_header(bytes.substr(0, length)).found, ProxyHeader::Found::incomplete)
          << length << " of " << bytes;
    }
  }
}

TEST(ProxyHeader, IsNoneWhereTheFirstBytesAreOthers) {
  for (const std::string& bytes :
       {"G"s, "PO"s, "PROPFIND / HTTP/1.1\r\n"s, "\r\nGET"s, "\r\n\r\nGET"s, "\x16\x03\x01"s, "proxy "s, "PROXY\t"s}) {
    EXPECT_EQ(find_proxy_header(bytes).found, ProxyHeader::Found::none) << bytes;
  }
}

TEST(ProxyHeader, IsRefusedWhereItIsMalformed) {
  for (const std::string& bytes : {"PROXY TCP4 192.0.2.1 10.0.0.1 4660 80\n"s,
                                   "PROXY TCP4 192.0.2.1 10.0.0.1 4660\r\n"s,
                                   "PROXY TCP4 192.0.2.1  10.0.0.1 4660 80\r\n"s,
                                   "PROXY TCP4 192.0.2.1 10.0.0.1 4660 80 \r\n"s,
                                   "PROXY TCP4 192.0.2.1 10.0.0.1 04660 80\r\n"s,
                                   "PROXY TCP4 192.0.2.1 10.0.0.1 65536 80\r\n"s,
                                   "PROXY TCP4 192.0.2.256 10.0.0.1 1 80\r\n"s,
                                   "PROXY TCP6 192.0.2.1 10.0.0.1 1 80\r\n"s,
                                   "PROXY TCP4 ::1 ::1 1 80\r\n"s,
                                   "PROXY UDP4 192.0.2.1 10.0.0.1 1 80\r\n"s,
                                   "PROXY \r\n"s,
                                   "PROXY tcp4 1.1.1.1 1.1.1.1 1 1\r\n"s,
                                   "PROXY TCP4 "s + std::string(100, '1'),
                                   signature + '\x31',
                                   signature + '\x22',
                                   second('\x21', '\x41', v4_addresses),
                                   second('\x21', '\x13', v4_addresses),
                                   second('\x21', '\x11', v4_addresses.substr(1)),
                                   second('\x21', '\x21', v4_addresses),
                                   second('\x21', '\x11', v4_addresses + "\x04\x00"s),
                                   second('\x21', '\x11', v4_addresses + "\x04\x00\x02z"s),
                                   second('\x21', '\x11', v4_addresses + "\x03\x00\x04\0\0\0\0"s),
                                   second('\x21', '\x11', v4_addresses + "\x03\x00\x01\0"s),
                                   second('\x21', '\x11', v4_addresses + std::string(4096, '\0'))}) {
    EXPECT_EQ(find_proxy_header(bytes).found, ProxyHeader::Found::malformed) << bytes;
  }
}

TEST(ProxyHeader, IsReadAsItWasWritten) {
  const auto v4 = find_proxy_header("PROXY TCP4 192.0.2.1 10.0.0.1 4660 80\r\n");
  const auto v6 = find_proxy_header("PROXY TCP6 2001:db8::1 ::1 4660 80\r\n");
  for (const ProxyVersion version : {ProxyVersion::v1, ProxyVersion::v2}) {
    for (const auto& [client, server] : {std::pair{v4.client, v4.server}, {v6.client, v6.server}}) {
      const ProxyHeader header = find_proxy_header(make_proxy_header(version, client, server));
      EXPECT_EQ(header.found, ProxyHeader::Found::whole);
      EXPECT_EQ(header.client, client);
      EXPECT_EQ(header.server, server);
    }
    const ProxyHeader mixed = find_proxy_header(make_proxy_header(version, v4.client, v6.server));
    EXPECT_EQ(mixed.client.family, state::Family::ipv6);
    EXPECT_EQ(mixed.client.text(), "192.0.2.1:4660") << "as ::ffff:192.0.2.1";
    const ProxyHeader unknown = find_proxy_header(make_proxy_header(version, state::SocketAddress{}, v4.server));
    EXPECT_EQ(unknown.found, ProxyHeader::Found::whole);
    EXPECT_FALSE(unknown.names_client);
  }
}

// What concerns the client's connection is for the next server, in the order in which it came.
TEST(ProxyHeader, KeepsItsFieldsButNotThoseOfTheHeaderItself) {
  const std::string authority = "\x02\x00\x09"s + "a.example";
  const std::string of_a_vendor = "\xea\x00\x04\x01vpc"s;
  const std::string empty = "\x30\x00\x00"s;
  const std::string padding = "\x04\x00\x05....."s;
  const ProxyHeader header =
      find_proxy_header(second('\x21', '\x11', v4_addresses + padding + authority + empty + padding + of_a_vendor));
  ASSERT_EQ(header.found, ProxyHeader::Found::whole);
  EXPECT_EQ(header.fields, authority + empty + of_a_vendor);
  EXPECT_EQ(find_proxy_header(second('\x20', '\x11', v4_addresses + authority)).fields, "") << "of a health check";
  EXPECT_EQ(make_proxy_header(ProxyVersion::v2, header.client, header.server, header.fields),
            second('\x21', '\x11', v4_addresses + header.fields));
  const ProxyHeader again =
      find_proxy_header(make_proxy_header(ProxyVersion::v2, header.client, header.server, header.fields));
  EXPECT_EQ(again.fields, header.fields);
  EXPECT_EQ(make_proxy_header(ProxyVersion::v1, header.client, header.server, header.fields),
            make_proxy_header(ProxyVersion::v1, header.client, header.server))
      << "version 1 has none";
  EXPECT_EQ(make_proxy_header(ProxyVersion::v2, {}, header.server, header.fields),
            make_proxy_header(ProxyVersion::v2, {}, header.server))
      << "a header without addresses has no fields";
}

// CRC-32C, worked out bit by bit over the header with zeros in its place.
TEST(ProxyHeader, ItsChecksumMustBeRight) {
  std::string bytes = second('\x21', '\x11', v4_addresses + "\x04\0\x01x\x03\0\x04\0\0\0\0"s);
  std::uint32_t crc = ~0U;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1U) != 0 ? (crc >> 1) ^ 0x82F63B78U : crc >> 1;
  }
  crc = ~crc;
  for (int i = 0; i < 4; ++i)
    bytes[bytes.size() - 4 + static_cast<std::size_t>(i)] = static_cast<char>(crc >> (24 - 8 * i));
  EXPECT_EQ(find_proxy_header(bytes).found, ProxyHeader::Found::whole);
  EXPECT_EQ(find_proxy_header(bytes).fields, "") << "it is not for the next header";
  bytes[30] = static_cast<char>(bytes[30] ^ 1);
  EXPECT_EQ(find_proxy_header(bytes).found, ProxyHeader::Found::malformed);
}

}  // namespace
}  // namespace baton::arrival
