#include "proxy/admin/routes.hpp"

#include <gtest/gtest.h>

namespace baton::admin {
namespace {

TEST(Routes, AreJsonWhateverTheyAreCalled) {
  EXPECT_EQ(routes_json({}), R"({"routes":[]})");
  EXPECT_EQ(routes_json({{.name = "a\"b",
                          .match = "a.example/*",
                          .action = "upstream app",
                          .file = "baton.yaml",
                          .line = 7,
                          .requests_total = 3,
                          .failures_total = 1}}),
            R"({"routes":[{"name":"a\"b","match":"a.example/*","action":"upstream app","file":"baton.yaml","line":7,)"
            R"("requests_total":3,"failures_total":1}]})");
}

}  // namespace
}  // namespace baton::admin
