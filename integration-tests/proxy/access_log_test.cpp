// The access log in both formats.
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

class AccessLog : public testing::Test {
 protected:
  Settings with(const std::string& log) const {
    Settings settings(origin.address());
    settings.log = log;
    return settings;
  }
  Origin origin;
};

TEST_F(AccessLog, CombinedIsWhatEveryToolReads) {
  Baton baton(with("access: { path: \"-\", format: combined }"));
  Client client = baton.connect();
  client.get("/bytes/123?q=1", "Referer: http://from/\r\nUser-Agent: tester/1.0\r\n");
  const std::string line = baton.await_access_log(std::regex("bytes"));
  EXPECT_TRUE(
      std::regex_match(line, std::regex(R"re(127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] )re"
                                        R"re("GET /bytes/123\?q=1 HTTP/1\.1" 200 123 "http://from/" "tester/1\.0")re")))
      << line;
}

TEST_F(AccessLog, WhatIsMissingIsADashAndRefusalsAreLoggedToo) {
  Baton baton(with("access: { path: \"-\" }"));
  Client client = baton.connect();
  client.get("/status/204");
  EXPECT_NE(baton.await_access_log(std::regex(" 204 ")).find(" \"-\" \"-\""), std::string::npos);
  client.send("GET / HTTP/1.1\r\nBad : x\r\n\r\n");
  baton.await_access_log(std::regex(" 400 "));
}

TEST_F(AccessLog, AQuoteInAFieldCannotForgeALine) {
  Baton baton(with("access: { path: \"-\" }"));
  baton.connect().get("/bytes/1", "User-Agent: a\" \"b\\\r\n");
  const std::string line = baton.await_access_log(std::regex("bytes"));
  EXPECT_EQ(line.find("a\" \"b"), std::string::npos) << line;
}

TEST_F(AccessLog, JsonIsOneObjectALine) {
  Baton baton(with("access: { path: \"-\", format: json }"));
  baton.connect().get("/bytes/5");
  EXPECT_TRUE(boost::json::parse(baton.await_access_log(std::regex("bytes"))).is_object());
}

TEST_F(AccessLog, OurOwnAnswersHaveTheirBytesAndTheServerThatRefused) {
  Settings settings = with("access: { path: \"-\", format: json }");
  Baton baton(settings);
  origin.refuse();
  EXPECT_EQ(baton.connect().get("/refused").status(), 502);
  const auto line = boost::json::parse(baton.await_access_log(std::regex("refused"))).as_object();
  EXPECT_EQ(line.at("bytes").as_int64(), 30) << "502 Bad Gateway: upstream web";
  EXPECT_EQ(line.at("upstream").as_string(), origin.address().text());
  baton.await_log(std::regex("server " + origin.address().text() + " cannot be connected"));
}

TEST_F(AccessLog, ASlowHeadLastsFromItsFirstByte) {
  Settings settings = with("access: { path: \"-\", format: json }");
  settings.timeouts = "head: 300ms";
  Baton baton(settings);
  Client client = baton.connect();
  client.send("GET /slow HTTP/1.1\r\nHos");
  EXPECT_EQ(client.response().status(), 408);
  const auto line = boost::json::parse(baton.await_access_log(std::regex("408"))).as_object();
  EXPECT_GE(line.at("duration_ms").as_int64(), 270);
}

TEST_F(AccessLog, IsOffByDefault) {
  Baton baton(with(""));
  baton.connect().get("/bytes/5");
  baton.await_number("requests_total", 1);
  EXPECT_EQ(baton.log().find("/bytes/5"), std::string::npos);
}

}  // namespace
}  // namespace baton::harness
