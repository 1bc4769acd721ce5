// For tests: loads text with a fixed environment and returns the result.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/load.hpp"

namespace baton::config {

// Only HOST and EMPTY are set.
inline const char* test_environment(const char* name) {
  const std::string_view wanted = name;
  if (wanted == "HOST") return "10.1.2.3";
  if (wanted == "EMPTY") return "";
  if (wanted == "TRICKY") return "${HOST} $$";
  if (wanted == "TWO_LINES") return "a\nb";
  return nullptr;
}

// The problems of a text as shown to the operator, with the file name `f`. None: it loads.
inline std::vector<std::string> problems_of(std::string_view yaml) {
  const auto loaded = load_text(yaml, "f", test_environment);
  std::vector<std::string> texts;
  if (const auto* problems = std::get_if<Problems>(&loaded)) {
    for (const Problem& problem : *problems) texts.push_back(problem.text());
    EXPECT_FALSE(texts.empty()) << "refused without a reason";
  }
  return texts;
}

// The configuration of a text that must load.
inline Config config_of(std::string_view yaml) {
  auto loaded = load_text(yaml, "f", test_environment);
  if (auto* config = std::get_if<Config>(&loaded)) return std::move(*config);
  for (const Problem& problem : std::get<Problems>(loaded)) ADD_FAILURE() << problem.text();
  return {};
}

// Seven lines that load; a test appends its own.
inline const std::string minimal =
    "version: 1\n"
    "listeners:\n"
    "  - name: web\n"
    "    bind: 127.0.0.1:8080\n"
    "upstreams:\n"
    "  - name: app\n"
    "    servers: [ { address: \"127.0.0.1:9000\" } ]\n";

}  // namespace baton::config
