// Only Baton says who the client is, whatever a client claims, in whatever spelling, and whatever its own address is.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <regex>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

// A client of a Unix socket that has bound its own socket to a path of its choice.
Fd connect_from(const std::string& own_path, const std::string& to_path) {
  const auto address_of = [](const std::string& path) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    if (path.size() >= sizeof address.sun_path) throw Failure("path too long: " + path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
  };
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un own = address_of(own_path);
  const sockaddr_un to = address_of(to_path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    throw Failure(std::string("cannot connect from a Unix path: ") + std::strerror(errno));
  }
  return fd;
}

class UnixClient : public testing::Test {
 protected:
  UnixClient() {
    Settings settings(origin.address());
    settings.binds = {unix_socket(dir / "web.sock")};
    settings.log = "level: debug, access: { path: \"-\", format: json }";
    baton = std::make_unique<Baton>(settings);
  }
  TempDir dir;
  Origin origin;
  std::unique_ptr<Baton> baton;
};

TEST_F(UnixClient, IsUnknownWhateverPathItBindsItselfTo) {
  for (const char* name : {"plain", "a\r\nX-Admin: 1", "b\r\n\r\nGET /x HTTP/1.1\r\nHost: evil\r\n\r\n",
                           "c\x01\x7f\xc2\x85"}) {
    const std::size_t before = origin.requests().size();
    std::filesystem::create_directories(std::filesystem::path(dir / name).parent_path());
    Stream client(connect_from(dir / name, dir / "web.sock"));
    client.send(get_request("/echo"));
    EXPECT_EQ(read_response(client).status(), 200);
    EXPECT_EQ(origin.requests().size(), before + 1) << "and no request beside it";
    const Request seen = origin.last_request();
    EXPECT_EQ(seen.field("X-Forwarded-For"), "unknown") << seen.raw_head;
    EXPECT_FALSE(seen.field("X-Admin")) << seen.raw_head;
    baton->await_access_log(
        std::regex(R"re(^\{"time":"[^"]*","client":"unix:[^"]*","listener":"web","request":"GET /echo)re"));
    client.send("nonsense\r\n\r\n");
    EXPECT_EQ(read_response(client).status(), 400);
    baton->await_log(std::regex(R"( debug .* unix:.* on web gets 400: malformed method$)"));
  }
}

// The request as a WSGI application sees it.
class Environ : public testing::TestWithParam<const char*> {
 protected:
  Process application{{{"/usr/bin/python3", BATON_PROXY_TESTS "/python/environ.py"}}};
  const int port = std::stoi(application.await_line(Process::Stream::out, std::regex(R"(^\d+$)")));

  Settings settings() const {
    Settings settings(loopback(static_cast<std::uint16_t>(port)));
    settings.more = std::string("underscores: ") + GetParam() + "\n";
    return settings;
  }
};

TEST_P(Environ, HoldsOurWordOnWhoTheClientIsAndNoOther) {
  Baton baton(settings());
  Client client = baton.connect();
  const std::string ours =
      "HTTP_HOST=test.example\nHTTP_X_FORWARDED_FOR=127.0.0.1\nHTTP_X_FORWARDED_HOST=test.example\n"
      "HTTP_X_FORWARDED_PROTO=http\n";
  ASSERT_EQ(client.get("/").body, ours);
  for (const std::string name :
       {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Ssl", "X-Forwarded-Client-Subject",
        "Forwarded", "X-Real-IP", "Client-IP", "True-Client-IP", "WL-Proxy-Client-IP", "Proxy-Client-IP",
        "X-Original-Host", "X-Host", "Remote-Addr", "Proxy"}) {
    std::string underscored = name;
    std::replace(underscored.begin(), underscored.end(), '-', '_');
    std::string mixed = underscored;
    mixed[mixed.size() - 3] = name[name.size() - 3];
    for (const std::string& spelled : {name, underscored, mixed}) {
      EXPECT_EQ(client.get("/", spelled + ": 6.6.6.6\r\n").body, ours) << spelled;
      EXPECT_EQ(client.get("/", "Connection: " + spelled + "\r\n" + spelled + ": 6.6.6.6\r\n").body, ours) << spelled;
    }
  }
}

TEST_P(Environ, HoldsNamesWithUnderscoresOnlyWhereTheyMayPass) {
  Baton baton(settings());
  Client client = baton.connect();
  const std::string body = client.get("/", "X_User: evil\r\nX-Plain: 1\r\nX_Other: 2\r\n").body;
  const bool pass = std::string_view(GetParam()) == "pass";
  EXPECT_EQ(body.find("HTTP_X_USER=evil") != std::string::npos, pass) << body;
  EXPECT_NE(body.find("HTTP_X_PLAIN=1"), std::string::npos) << body;
  baton.await_number("requests_total", 1);
  Client admin(unix_socket(baton.directory() / "admin.sock"));
  EXPECT_NE(admin.get("/metrics").body.find(std::string("baton_request_fields_dropped_total ") + (pass ? "0\n" : "2\n")),
            std::string::npos);
}

TEST_P(Environ, IsNeverReachedByAnotherSpellingOfAFramingField) {
  Baton baton(settings());
  for (const char* field : {"Content_Length: 5", "TRANSFER_ENCODING: chunked", "content_length: 0"}) {
    EXPECT_EQ(baton.connect().get("/", field + std::string("\r\n")).status(), 400) << field;
  }
}

INSTANTIATE_TEST_SUITE_P(Underscores, Environ, testing::Values("drop", "pass"),
                         [](const auto& i) { return std::string(i.param); });

}  // namespace
}  // namespace baton::harness
