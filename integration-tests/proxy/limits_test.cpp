// Every configured limit, just within it and just beyond.
#include <gtest/gtest.h>

#include <list>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

class Limits : public testing::Test {
 protected:
  Settings with(const std::string& limits) const {
    Settings settings(origin.address());
    settings.limits = limits;
    return settings;
  }
  static std::string many_fields(int count) {
    std::string fields;
    for (int i = 0; i < count; ++i) fields += "X-" + std::to_string(i) + ": v\r\n";
    return fields;
  }

  Origin origin;
};

TEST_F(Limits, HeadBytesIs431) {
  Baton baton(with("head_bytes: 4k"));
  EXPECT_EQ(baton.connect().get("/bytes/1", "X-Long: " + std::string(3900, 'x') + "\r\n").status(), 200);
  Client client = baton.connect();
  client.send_what_goes(get_request("/bytes/1", "X-Long: " + std::string(5000, 'x') + "\r\n"));
  EXPECT_EQ(client.response().status(), 431);
  client.expect_fin();
}

TEST_F(Limits, AHeadThatNeverEndsIs431) {
  Baton baton(with("head_bytes: 4k"));
  Client client = baton.connect();
  client.send_what_goes("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(100'000, 'x'));
  EXPECT_EQ(client.response().status(), 431);
}

TEST_F(Limits, UriBytesIs414) {
  Baton baton(with("uri_bytes: 1k"));
  EXPECT_EQ(baton.connect().get("/bytes/1?" + std::string(1000, 'q')).status(), 200);
  EXPECT_EQ(baton.connect().get("/bytes/1?" + std::string(1024, 'q')).status(), 414);
}

TEST_F(Limits, FieldsIs431) {
  Baton baton(with("fields: 10"));
  EXPECT_EQ(baton.connect().get("/bytes/1", many_fields(9)).status(), 200) << "Host is the tenth";
  EXPECT_EQ(baton.connect().get("/bytes/1", many_fields(10)).status(), 431);
}

TEST_F(Limits, BodyBytesIs413) {
  Baton baton(with("body_bytes: 1000"));
  EXPECT_EQ(baton.connect().post("/count", pattern(1000)).body, "1000 as sent");
  Client by_length = baton.connect();
  by_length.send_what_goes(post_request("/count", pattern(1001)));
  EXPECT_EQ(by_length.response().status(), 413);
  by_length.expect_fin();
  Client by_chunks = baton.connect();
  by_chunks.send_what_goes("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                           chunk(pattern(600)) + chunk(pattern(600)) + std::string(last_chunk));
  EXPECT_EQ(by_chunks.response().status(), 413);
}

TEST_F(Limits, RequestsPerConnectionClosesAfterTheLast) {
  Baton baton(with("requests_per_connection: 3"));
  Client client = baton.connect();
  EXPECT_FALSE(client.get("/bytes/1").field("Connection"));
  EXPECT_FALSE(client.get("/bytes/1").field("Connection"));
  EXPECT_EQ(client.get("/bytes/1").field("Connection"), "close");
  client.expect_fin();
}

TEST_F(Limits, ConnectionsBeyondTheLimitWaitForAFreePlace) {
  Baton baton(with("connections: 4"));
  std::list<Client> clients;
  for (int i = 0; i < 4; ++i) EXPECT_EQ(clients.emplace_back(baton.address()).get("/bytes/1").status(), 200);
  Client fifth = baton.connect();
  fifth.send_what_goes(get_request("/bytes/2"));
  fifth.expect_silence(Milliseconds(100));
  clients.clear();
  EXPECT_EQ(fifth.response().body, pattern(2));
}

TEST_F(Limits, ZeroMeansNone) {
  Baton baton(with("head_bytes: 64k, uri_bytes: 0, fields: 0"));
  EXPECT_EQ(baton.connect().get("/bytes/1?" + std::string(20'000, 'q'), many_fields(300)).status(), 200);
}

TEST_F(Limits, ASmallBufferOnlySlowsDown) {
  Baton baton(with("buffer_bytes: 4k, head_bytes: 2k"));
  Client client = baton.connect();
  EXPECT_TRUE(client.get("/bytes/1000000").body == pattern(1'000'000));
  EXPECT_EQ(client.post("/count", pattern(1'000'000)).body, "1000000 as sent");
}

}  // namespace
}  // namespace baton::harness
