#include "proxy/canary/failure.hpp"

#include <gtest/gtest.h>

namespace baton::canary {
namespace {

using state::Ending;

TEST(Failure, IsWhatAClientWouldBlameOnTheService) {
  EXPECT_TRUE(is_failure(500, Ending::done)) << "the server's";
  EXPECT_TRUE(is_failure(503, Ending::answered)) << "our own";
  EXPECT_TRUE(is_failure(200, Ending::server_gone)) << "cut short";
  EXPECT_TRUE(is_failure(0, Ending::connect)) << "a tunnel that reached no server";
  EXPECT_TRUE(is_failure(404, Ending::no_route)) << "a route that a configuration has lost";
  EXPECT_TRUE(is_failure(400, Ending::bad_request)) << "a parser that has become too strict";
  EXPECT_TRUE(is_failure(403, Ending::denied));
  EXPECT_TRUE(is_failure(429, Ending::rate));
}

TEST(Failure, IsNotWhatAClientDoesToItself) {
  EXPECT_FALSE(is_failure(200, Ending::done));
  EXPECT_FALSE(is_failure(404, Ending::done)) << "the server's answer";
  EXPECT_FALSE(is_failure(401, Ending::unauthorized)) << "each client begins with it";
  EXPECT_FALSE(is_failure(200, Ending::client_gone));
  EXPECT_FALSE(is_failure(0, Ending::client_gone, gives_up_ms - 1)) << "it has changed its mind";
  EXPECT_TRUE(is_failure(0, Ending::client_gone, gives_up_ms)) << "it has waited for an answer";
  EXPECT_FALSE(is_failure(408, Ending::client_slow));
  EXPECT_FALSE(is_failure(503, Ending::maintenance)) << "an operator has switched it on";
  EXPECT_FALSE(is_failure(0, Ending::idle));
  EXPECT_FALSE(is_failure(0, Ending::done));
  EXPECT_FALSE(is_failure(200, Ending::stopped));
}

}  // namespace
}  // namespace baton::canary
