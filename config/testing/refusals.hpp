// For tests: files that are refused, and their problems.
#pragma once

#include <gmock/gmock.h>

#include <ostream>
#include <string>
#include <vector>

#include "config/testing/load.hpp"

namespace baton::config {

struct Refusal {
  const char* title;
  std::string yaml;
  std::vector<std::string> problems;  // the beginning of each problem, all of them in order
};

inline void PrintTo(const Refusal& refusal, std::ostream* out) {
  *out << refusal.title;
}

inline void expect_refused(const Refusal& refusal) {
  std::vector<testing::Matcher<std::string>> expected;
  for (const std::string& problem : refusal.problems) expected.push_back(testing::StartsWith(problem));
  EXPECT_THAT(problems_of(refusal.yaml), testing::ElementsAreArray(expected)) << refusal.yaml;
}

// A file with the given listeners, one entry per line from line 3 on.
inline std::string with_listeners(const std::string& entries) {
  return "version: 1\nlisteners:\n" + entries +
         "upstreams: [ { name: app, servers: [ { address: \"127.0.0.1:9000\" } ] } ]\n";
}

// The same for upstreams.
inline std::string with_upstreams(const std::string& entries) {
  return "version: 1\nupstreams:\n" + entries + "listeners: [ { name: web, bind: \"127.0.0.1:8080\" } ]\n";
}

}  // namespace baton::config
