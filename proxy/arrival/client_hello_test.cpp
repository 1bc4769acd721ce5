#include "proxy/arrival/client_hello.hpp"

#include <gmock/gmock.h>

#include <string>

namespace baton::arrival {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;

std::string number(std::size_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
  return text;
}
std::string with_length(const std::string& content, int bytes) {
  return number(content.size(), bytes) + content;
}
std::string extension(std::size_t type, const std::string& content) {
  return number(type, 2) + with_length(content, 2);
}
std::string name_extension(const std::string& name) {
  return extension(0, with_length("\0"s + with_length(name, 2), 2));
}
std::string alpn_extension(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += with_length(name, 1);
  return extension(16, with_length(list, 2));
}
const std::string grease = extension(0x3a3a, ""s) + extension(0xfafa, "\0"s);

std::string message(const std::string& extensions) {
  const std::string body = "\x03\x03"s + std::string(32, 'r') + with_length(std::string(32, 's'), 1) +
                           with_length("\x1a\x1a\x13\x01"s, 2) + with_length("\0"s, 1) + with_length(extensions, 2);
  return "\x01"s + with_length(body, 3);
}
// In records of so many bytes each.
std::string records(const std::string& text, std::size_t bytes = 16384) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); at += bytes)
    result += "\x16\x03\x01"s + with_length(text.substr(at, bytes), 2);
  return result;
}

const std::string usual = message(grease + name_extension("A.Example.") + extension(43, "\x02\x03\x04"s) +
                                  alpn_extension({"h2", "http/1.1"}));

TEST(ClientHello, NamesTheServerAndTheProtocols) {
  const ClientHello hello = find_client_hello(records(usual));
  ASSERT_EQ(hello.found, ClientHello::Found::whole);
  EXPECT_EQ(hello.server_name, "a.example");
  EXPECT_THAT(hello.alpn, ElementsAre("h2", "http/1.1"));
}

TEST(ClientHello, LiesInAnyNumberOfRecords) {
  for (const std::size_t bytes : {1, 2, 3, 4, 5, 100}) {
    const ClientHello hello = find_client_hello(records(usual, bytes) + "\x14\x03\x03");
    ASSERT_EQ(hello.found, ClientHello::Found::whole) << bytes;
    EXPECT_EQ(hello.server_name, "a.example");
  }
}

TEST(ClientHello, IsIncompleteAtEveryTruncation) {
  for (const std::size_t bytes : {16384, 7}) {
    const std::string whole = records(usual, bytes);
    for (std::size_t length = 0; length < whole.size(); ++length) {
      EXPECT_EQ(find_client_hello(whole.substr(0, length)).found, ClientHello::Found::incomplete) << length;
    }
  }
}

TEST(ClientHello, MayNameNothing) {
  for (const std::string& extensions :
       {""s, grease, name_extension(""), extension(0, with_length("\x05"s + with_length("x", 2), 2))}) {
    const ClientHello hello = find_client_hello(records(message(extensions)));
    EXPECT_EQ(hello.found, ClientHello::Found::whole);
    EXPECT_EQ(hello.server_name, "");
    EXPECT_TRUE(hello.alpn.empty());
  }
  const std::string without =
      "\x03\x03"s + std::string(32, 'r') + "\0"s + with_length("\x13\x01"s, 2) + with_length("\0"s, 1);
  EXPECT_EQ(find_client_hello(records("\x01"s + with_length(without, 3))).found, ClientHello::Found::whole);
}

TEST(ClientHello, IsNoneWhereItIsSomethingElseOrMalformed) {
  for (const std::string& bytes :
       {"G"s, "\x16\x02"s, "\x15\x03\x01\0\x02"s, "\x16\x03\x01\0\0"s, "\x16\x03\x01\x40\x01"s,
        "\x16\x03\x01\0\x01\x02"s, records("\x01\xff\xff\xff"s), records("\x01"s + with_length("short"s, 3)),
        records(message(name_extension("a") + name_extension("b"))),
        records(message(alpn_extension({"a"}) + alpn_extension({"b"}))), records(message(extension(0, "\0\x09"s))),
        records(message(extension(0, with_length("\0"s + with_length("a", 2), 2) + "x"))),
        records(message(extension(16, "\0\x01\x05"s))), records(message("\0\0\0"s)),
        records(message("\0\0\0\x09z"s))}) {
    EXPECT_EQ(find_client_hello(bytes).found, ClientHello::Found::none) << testing::PrintToString(bytes);
  }
}

TEST(ClientHello, IsNotAwaitedBeyondItsBound) {
  const std::string longest = records("\x01"s + number(16'000, 3) + std::string(16'000, 'x'), 100);
  EXPECT_EQ(find_client_hello(longest.substr(0, client_hello_bytes_max - 1)).found, ClientHello::Found::incomplete);
  EXPECT_EQ(find_client_hello(longest).found, ClientHello::Found::none);
}

}  // namespace
}  // namespace baton::arrival
