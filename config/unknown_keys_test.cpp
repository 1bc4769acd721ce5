// Keys that this version does not know: misspelt ones, and those of a later version.
#include <gmock/gmock.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "config/later.hpp"
#include "config/schema.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

class UnknownKeys : public testing::TestWithParam<Refusal> {};

TEST_P(UnknownKeys, NamePlaceAndReason) {
  expect_refused(GetParam());
}

// A key of a later version is refused by name, never ignored and never called unknown.
const Refusal later[] = {
    {"HealthChecks",
     with_upstreams("  - { name: app, servers: [ { address: \"a:1\" } ], health_check: {} }\n"),
     {"f:3:51: unknown key `health_check` on an upstream"}},
    {"Via", minimal + "via: true\n", {"f:8:6: `via: true` is not supported by this version yet"}},
};
INSTANTIATE_TEST_SUITE_P(OfLaterVersions, UnknownKeys, testing::ValuesIn(later),
                         [](const auto& i) { return i.param.title; });

// Implementing a key removes it from the list.
TEST(LaterKeys, AreNotKnownYetAndStandInSectionsThatAre) {
  std::set<std::string_view> sections{""};
  const auto known = known_keys();
  for (const KnownKey& one : known)
    sections.insert(std::string_view(one.path).substr(0, one.path.find_last_of('.') + 1));
  for (const std::string_view key : later_keys) {
    EXPECT_EQ(std::ranges::find(known, key, &KnownKey::path), known.end()) << key;
    EXPECT_TRUE(sections.contains(key.substr(0, key.find_last_of('.') + 1))) << key;
  }
}

const Refusal misspelt[] = {
    {"TopLevelKey",
     "version: 1\nlistener: [ { name: a, bind: \":80\", protocol: tpc } ]\nupstream: [ { name: app, servers: [ {} ] } "
     "]\n",
     {"f:2:1: unknown key `listener` at the top level; did you mean `listeners`?",
      "f:2:47: `protocol`: unknown value `tpc`; did you mean `tcp`?",
      "f:3:1: unknown key `upstream` at the top level; did you mean `upstreams`?",
      "f:3:37: `address` is missing on a server"}},
    {"Section",
     minimal + "timeout:\n  idel: 5\n",
     {"f:8:1: unknown key `timeout` at the top level; did you mean `timeouts`?",
      "f:9:3: unknown key `idel` in `timeouts`; did you mean `idle`?", "f:9:9: `idle`: `5` needs a unit"}},
    {"ServerKey",
     with_upstreams("  - { name: app, servers: [ { adress: 9000 } ] }\n"),
     {"f:3:31: unknown key `adress` on a server; did you mean `address`?",
      "f:3:39: `address`: `9000` is only a port; write `127.0.0.1:9000` for this machine"}},
    {"WithoutAValue",
     with_upstreams("  - { name: app, servers: [ { adress: } ] }\n"),
     {"f:3:31: unknown key `adress` on a server; did you mean `address`?"}},
    {"BesideTheRightOne",
     minimal + "limits: { fields: 10 }\nlimit: { fields: none }\n",
     {"f:9:1: unknown key `limit` at the top level; did you mean `limits`?"}},
    {"Twice",
     minimal + "limit: { fields: none }\nlimitz: { fields: many }\n",
     {"f:8:1: unknown key `limit`", "f:8:18: `fields`: `none` is no", "f:9:1: unknown key `limitz`"}},
};
INSTANTIATE_TEST_SUITE_P(UnderMisspeltKeys, UnknownKeys, testing::ValuesIn(misspelt),
                         [](const auto& i) { return i.param.title; });

}  // namespace
}  // namespace baton::config
