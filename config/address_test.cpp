#include "config/address.hpp"

#include <gtest/gtest.h>

namespace baton::config {
namespace {

TEST(Addresses, ReadsEveryForm) {
  EXPECT_EQ(parse_address("127.0.0.1:80"), (Address{.host = "127.0.0.1", .port = 80}));
  EXPECT_EQ(parse_address("my-host_1.example.com:65535"), (Address{.host = "my-host_1.example.com", .port = 65535}));
  EXPECT_EQ(parse_address("[::1]:80"), (Address{.host = "::1", .port = 80}));
  EXPECT_EQ(parse_address("[fe80::1%eth0]:80"), (Address{.host = "fe80::1%eth0", .port = 80}));
  EXPECT_EQ(parse_address(":80"), (Address{.host = "", .port = 80}));
  EXPECT_EQ(parse_address("[::1]:0"), (Address{.host = "::1", .port = 0}));
  EXPECT_EQ(parse_address("unix:/run/app.sock"), (Address{.unix_path = "/run/app.sock"}));
}

TEST(Addresses, TextIsWhatWasRead) {
  for (const char* text : {"127.0.0.1:80", "localhost:8080", "[::1]:80", "[fe80::1%eth0]:80", ":80", "unix:/a:b"}) {
    EXPECT_EQ(parse_address(text)->text(), text);
  }
}

TEST(Addresses, RefusesWhatIsNone) {
  for (const char* text : {"",           ":",
                           "80",         "host",
                           "host:",      "host:x",
                           "host:-1",    "host:+1",
                           "host:65536", "host:80 ",
                           " host:80",   "::1:80",
                           "[::1]",      "[::1]80",
                           "[]:80",      "[1.2.3.4]:80",
                           "[::1%]:80",  "[::1%a b]:80",
                           "[g::]:80",   "256.1.1.1:80",
                           "1.2.3:80",   "a..b:80",
                           ".a:80",      "-a:80",
                           "a-:80",      "a b:80",
                           "*:80",       "http://a:80",
                           "a:80/",      "/run/app.sock",
                           "unix:",      "unix:app.sock",
                           "unix:@app",  "unix:/run/"}) {
    EXPECT_FALSE(parse_address(text)) << text;
  }
}

TEST(Addresses, SaysWhatToWriteInstead) {
  EXPECT_EQ(parse_address("::1:80").error(), "`::1:80`: an IPv6 address must stand in brackets, as in [::1]:8080");
  const auto listen = [](const char* text) { return parse_address(text, AddressUse::listen).error(); };
  const auto connect = [](const char* text) { return parse_address(text, AddressUse::connect).error(); };
  EXPECT_EQ(listen("8080"), "`8080` is only a port; write `\":8080\"`, or `127.0.0.1:8080` for this machine alone");
  EXPECT_EQ(connect("8080"), "`8080` is only a port; write `127.0.0.1:8080` for this machine");
  EXPECT_EQ(listen("*:80"), "`*` is neither a host name nor an IPv4 address; write `:80`");
  EXPECT_EQ(connect(":80"), "`:80` names no host to connect to; write `127.0.0.1:80` for this machine");
  EXPECT_EQ(listen("localhost"), "`localhost` has no port; write `localhost:8080`");
  EXPECT_EQ(listen("[::1]"), "`[::1]` has no port; write `[::1]:8080`");
  EXPECT_EQ(connect("a b"), "`a b` has no port; write host:port, [v6]:port or unix:/path");
  EXPECT_EQ(connect("http://app.internal/"), "`http://app.internal/` must be an address, not a URL; write `app.internal:80`");
  EXPECT_EQ(connect("https://10.0.0.1:8443/x"), "`https://10.0.0.1:8443/x` must be an address, not a URL; write `10.0.0.1:8443`");
  EXPECT_EQ(listen("/run/app.sock"), "`/run/app.sock` is not an address; write `unix:/run/app.sock`");
  EXPECT_EQ(listen(""), "an address is missing; write host:port, [v6]:port, :port or unix:/path");
  EXPECT_EQ(parse_address("a:70000").error(), "the port `70000` must be from 0 to 65535");
  EXPECT_EQ(parse_address("a:0", AddressUse::connect).error(), "the port `0` must be from 1 to 65535");
  EXPECT_EQ(parse_address("unix:app.sock").error(), "the path of a Unix socket must be absolute, not `app.sock`");
}

TEST(Addresses, AUnixPathMayFillTheKernelsStructureAndNoMore) {
  const std::string longest = "/" + std::string(unix_path_bytes_max - 1, 'x');
  EXPECT_TRUE(parse_address("unix:" + longest));
  EXPECT_FALSE(parse_address("unix:" + longest + "x"));
}

TEST(Addresses, AHandoffSocketMayLieAsDeepAsTheFileSystemAllowsUnderAShortName) {
  const std::string folder = "/" + std::string(200, 'd') + "/";
  EXPECT_TRUE(parse_handoff_path(folder + std::string(handoff_name_bytes_max, 'n')));
  EXPECT_FALSE(parse_handoff_path(folder + std::string(handoff_name_bytes_max + 1, 'n')));
  EXPECT_TRUE(parse_handoff_path("/" + std::string(handoff_path_bytes_max - 3, 'd') + "/n"));
  EXPECT_FALSE(parse_handoff_path("/" + std::string(handoff_path_bytes_max - 2, 'd') + "/n"));
  EXPECT_EQ(parse_handoff_path("h.sock").error(), "the path of a Unix socket must be absolute, not `h.sock`");
  EXPECT_FALSE(parse_handoff_path("/run/"));
}

TEST(Addresses, AHostNameHasTheLengthsOfDns) {
  EXPECT_TRUE(parse_address(std::string(63, 'a') + ":80"));
  EXPECT_FALSE(parse_address(std::string(64, 'a') + ":80"));
  std::string name = "a";
  while (name.size() < 253) name += ".a";
  EXPECT_TRUE(parse_address(name + ":80"));
  EXPECT_FALSE(parse_address(name + "b.c:80"));
}

TEST(HostNames, AreThoseOfDns) {
  for (const char* text : {"localhost", "my-host_1.Example.com", "xn--bcher-kva.example", "1.example"}) {
    EXPECT_EQ(parse_host_name(text), text);
  }
  for (const char* text : {"", ".", "a.", "*.a", "a b", "-a", "a:80", "https://a", "b\u00fccher.example", "1.2.3"}) {
    EXPECT_FALSE(parse_host_name(text)) << text;
  }
}

TEST(HostNames, AreNoIpAddresses) {
  for (const char* text : {"127.0.0.1", "::1", "fe80::1%eth0"}) {
    EXPECT_EQ(parse_host_name(text).error(), "`" + std::string(text) + "` is an IP address, not the name of a host");
  }
}

}  // namespace
}  // namespace baton::config
