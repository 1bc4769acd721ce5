#include "proxy/admin/history.hpp"

#include <gtest/gtest.h>

namespace baton::admin {
namespace {

TEST(History, HoldsEveryKeyInOneLine) {
  state::History history;
  history.add(10'000, {.requests = 5, .failures = 1, .p50_ms = 2, .p99_ms = 30, .connections = 7}, {});
  history.add(30'000, {.requests = 6}, {});
  EXPECT_EQ(history_json(history), R"({"every_s":10,"until_ms":30000,"requests":[5,null,6],"failures":[1,null,0],)"
                                   R"("p50_ms":[2,null,null],"p99_ms":[30,null,null],"connections":[7,null,0]})");
}

TEST(History, BeginsEmpty) {
  EXPECT_EQ(history_json({}), R"({"every_s":10,"until_ms":0,"requests":[],"failures":[],"p50_ms":[],"p99_ms":[],)"
                              R"("connections":[]})");
}

}  // namespace
}  // namespace baton::admin
