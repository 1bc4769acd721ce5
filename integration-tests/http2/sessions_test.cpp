// Clients by other libraries that keep one connection of HTTP/2, with open streams, through ten upgrades.
#include <gtest/gtest.h>

#include <regex>

#include "http2/peers.hpp"

namespace baton::harness {
namespace {

class Http2Sessions : public Http2Peers {
 protected:
  // It upgrades Baton itself, and says "held" when only what the origin holds back is missing, and "ok" at its end.
  // `more`: arguments behind the common ones.
  void expect_ok(std::vector<std::string> program, const std::vector<std::string>& more,
                 const std::vector<std::string>& environment = {}) {
    Origin origin;
    Baton baton(settings_for(origin.address()));
    program.insert(program.end(), {std::to_string(baton.address().port), authority.path(), baton.pid_file_path()});
    program.insert(program.end(), more.begin(), more.end());
    Process script({.argv = std::move(program), .environment = environment});
    script.await_line(Process::Stream::out, std::regex("^held$"), std::chrono::minutes(1));
    origin.gate().open();
    EXPECT_EQ(script.await_exit(), (Ended{0, 0})) << script.err() << baton.log();
    EXPECT_EQ(script.out(), "held\nok\n") << script.err();
    EXPECT_EQ(baton.count_log_lines(std::regex("upgrade: .*moved=1 \\(exchange: 1\\), taken_back=0, refused=0")), 10u)
        << baton.log();
    EXPECT_EQ(baton.number("accepted_total"), 1);
  }
};

TEST_F(Http2Sessions, OfHyperH2LiveThroughTenUpgrades) {
  expect_ok({"/usr/bin/python3", "-B", HTTP2_PEERS "/python/streams.py"}, {},
            {"PYTHONPATH=" HTTP2_PEERS "/../tls/python"});
}

class Http2SessionsOfNode : public Http2Sessions, public testing::WithParamInterface<const char*> {};

TEST_P(Http2SessionsOfNode, LiveThroughTenUpgrades) {
  expect_ok({"node", HTTP2_PEERS "/node/session.mjs"}, {GetParam()});
}

INSTANTIATE_TEST_SUITE_P(Over, Http2SessionsOfNode, testing::Values("TLSv1.2", "TLSv1.3"), [](const auto& one) {
  return std::string(one.param).substr(0, 5) + std::string(one.param).substr(6);
});

}  // namespace
}  // namespace baton::harness
