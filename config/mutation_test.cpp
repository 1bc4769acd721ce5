// For any text the loader returns a configuration that prints and loads back, or problems.
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>

#include "config/load.hpp"
#include "config/testing/load.hpp"

namespace baton::config {
namespace {

using Random = std::mt19937;

std::size_t below(Random& random, std::size_t end) {
  return random() % end;
}

// Small edits such as a tired operator or a broken disk makes.
std::string mutated(std::string text, Random& random) {
  static const std::string pieces[] = {"\n",          "  ",
                                       ": ",          "- ",
                                       "[",           "]",
                                       "{",           "}",
                                       "\"",          "'",
                                       "#",           "&a ",
                                       "*a",          "!!x ",
                                       "${HOST}",     "${A:-",
                                       "<<: ",        "|\n",
                                       ">-\n",        "---\n",
                                       "\t",          "? ",
                                       "~",           "0",
                                       "-1",          "99999999999999999999",
                                       "\\",          "\xff",
                                       "\xc3\xa9",    std::string(1, '\0'),
                                       "%YAML 1.2\n", "name: a\n"};
  for (std::size_t edits = 1 + below(random, 4); edits > 0; --edits) {
    const std::size_t at = below(random, text.size() + 1);
    const std::size_t bytes = below(random, std::min<std::size_t>(text.size() - at + 1, 80));
    switch (below(random, 4)) {
      case 0:
        text.erase(at, bytes);
        break;
      case 1:
        text.insert(at, pieces[below(random, std::size(pieces))]);
        break;
      case 2:
        text.insert(below(random, text.size() + 1), text.substr(at, bytes));
        break;
      default:
        if (at < text.size()) text[at] = static_cast<char>(below(random, 256));
    }
  }
  return text;
}

void expect_answer(const std::string& yaml) {
  const auto loaded = load_text(yaml, "f", test_environment);
  if (const auto* config = std::get_if<Config>(&loaded)) {
    EXPECT_EQ(config_of(print(*config)), *config) << yaml;
    return;
  }
  for (const Problem& problem : std::get<Problems>(loaded)) {
    EXPECT_GE(problem.where.line, 1) << yaml;
    EXPECT_GE(problem.where.column, 1) << yaml;
    EXPECT_EQ(problem.text().find('\n'), std::string::npos) << problem.text();
  }
}

TEST(Mutations, OfTheExampleAlwaysGetAnAnswer) {
  std::stringstream example;
  example << std::ifstream(BATON_EXAMPLE_YAML).rdbuf();
  Random random(1);
  for (int round = 0; round < 2'000; ++round) expect_answer(mutated(example.str(), random));
}

TEST(Mutations, OfTheMinimalFileAlwaysGetAnAnswer) {
  Random random(2);
  for (int round = 0; round < 20'000; ++round) expect_answer(mutated(minimal, random));
}

TEST(Mutations, OfTcpListenersAlwaysGetAnAnswer) {
  const std::string tcp =
      "version: 1\n"
      "listeners:\n"
      "  - { name: a, bind: \":81\", protocol: tcp, upstream: db }\n"
      "upstreams:\n"
      "  - { name: app, servers: [ { address: \"127.0.0.1:9000\" } ] }\n"
      "  - { name: db, servers: [ { address: \"127.0.0.1:5432\" } ] }\n";
  Random random(3);
  for (int round = 0; round < 10'000; ++round) expect_answer(mutated(tcp, random));
}

TEST(Mutations, OfTlsAlwaysGetAnAnswer) {
  const std::string tls =
      "version: 1\n"
      "listeners:\n"
      "  - name: a\n"
      "    bind: \":81\"\n"
      "    tls:\n"
      "      certificates: [ { cert: /a, key: /b } ]\n"
      "      min_version: 1.3\n"
      "      alpn: [ http/1.1 ]\n"
      "      client_auth: optional\n"
      "      client_ca: /c\n"
      "      session_tickets: false\n"
      "  - { name: b, bind: \":82\", protocol: tcp, tls: { certificates: [ { cert: /a, key: /b } ], alpn: [ x ] } }\n"
      "upstreams:\n"
      "  - name: app\n"
      "    servers: [ { address: unix:/u } ]\n"
      "    tls: { ca: /c, server_name: u, certificate: { cert: /d, key: /e }, min_version: 1.3 }\n"
      "underscores: pass\n"
      "watch: true\n";
  EXPECT_TRUE(problems_of(tls).empty());
  Random random(4);
  for (int round = 0; round < 10'000; ++round) expect_answer(mutated(tls, random));
}

TEST(Mutations, OfRoutesAlwaysGetAnAnswer) {
  const std::string routes = minimal +
                             "routes:\n"
                             "  - name: api\n"
                             "    match: { host: [ api.example.com, \"*.example.com\", \"::1\" ], path_prefix: /v1/ }\n"
                             "    upstream: app\n"
                             "  - match: { path_regex: \"^/u/[0-9]+$\", method: [ GET ], header: { a: \"*\", b: c }, "
                             "query: { \"d e\": \"!\" }, client: [ 10.0.0.0/8 ] }\n"
                             "    upstream: app\n"
                             "  - match: { path: /caf\xc3\xa9/%/a }\n"
                             "    upstream: app\n"
                             "  - upstream: app\n";
  EXPECT_TRUE(problems_of(routes).empty());
  Random random(5);
  for (int round = 0; round < 10'000; ++round) expect_answer(mutated(routes, random));
}

TEST(Mutations, EveryTruncationGetsAnAnswer) {
  for (std::size_t bytes = 0; bytes <= minimal.size(); ++bytes) expect_answer(minimal.substr(0, bytes));
}

}  // namespace
}  // namespace baton::config
