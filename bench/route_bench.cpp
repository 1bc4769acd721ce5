// Finds the route of a request, the given number of times. Run it under callgrind with two counts: the difference,
// divided by that of the counts, is the instructions of one request.
//
//   valgrind --tool=callgrind --callgrind-out-file=/dev/null route_bench WHAT 1000
//
// WHAT: one         one route for everything
//       hosts       1,000 hosts
//       prefixes    1,000 hosts of 10 routes each
//       wildcards   the same with `*.` before each host
//       conditions  the same as prefixes; some of the routes ask for methods, headers or parameters
//       resolved    the same as prefixes, with a path that must be resolved
//       regex10, regex100   so many regular expressions
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/routing/route_table.hpp"

namespace {

using namespace baton;
using Asks = config::ValueCondition::Asks;

struct Field {
  std::string_view name;
  std::string_view value;
};

// Ten routes of one host.
void add_routes(config::Config& config, const std::string& host, bool conditions) {
  const auto add = [&](config::Match match) {
    match.hosts = {host};
    config.routes.push_back({.match = std::move(match), .upstream = "app"});
  };
  for (int j = 0; j < (conditions ? 6 : 10); ++j) add({.path_prefix = "/v" + std::to_string(j)});
  if (!conditions) return;
  add({.path_prefix = "/v4", .methods = {"POST", "PUT"}});
  add({.path_prefix = "/v4", .headers = {{"x-canary", Asks::value, "1"}}});
  add({.path_prefix = "/v4", .queries = {{"beta", Asks::present, ""}}});
  add({.path_prefix = "/v4", .headers = {{"cookie", Asks::absent, ""}}, .queries = {{"version", Asks::value, "2"}}});
}

config::Config routes(std::string_view what) {
  config::Config config;
  config.upstreams = {{.name = "app"}};
  const int expressions = what == "regex10" ? 10 : what == "regex100" ? 100 : 0;
  for (int i = 0; i < expressions; ++i) {
    config.routes.push_back(
        {.match = {.path_regex = "^/w" + std::to_string(i) + "/[a-z]+/[0-9]+$"}, .upstream = "app"});
  }
  for (int i = 0; what != "one" && expressions == 0 && i < 1000; ++i) {
    const std::string host = (what == "wildcards" ? "*.host-" : "host-") + std::to_string(i) + ".example.com";
    config.routes.push_back({.match = {.hosts = {host}}, .upstream = "app"});
    if (what != "hosts") add_routes(config, host, what == "conditions");
  }
  config.routes.push_back({.upstream = "app"});
  return config;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  const long count = argc > 2 ? std::atol(argv[2]) : 0;
  if (count <= 0) return 2;
  const routing::RouteTable table(routes(what));
  const std::vector<Field> fields{
      {"Host", "host-42.example.com:8080"}, {"User-Agent", "curl/8.0"}, {"Accept", "*/*"},
      {"Accept-Encoding", "gzip"},          {"Accept-Language", "en"},  {"Cookie", "session=1"}};
  const state::SocketAddress client;
  const routing::Request request{
      .host = what == "wildcards" ? "a.host-42.example.com:8080" : "host-42.example.com:8080",
      .target = what == "resolved" ? "/v4/./users/%31" : "/v4/users/1?full=true",
      .method = "GET",
      .fields = routing::Fields(fields),
      .client = &client};
  routing::Scratch scratch;
  std::size_t sum = 0;
  for (long i = 0; i < count; ++i) {
    const routing::Route* found = table.find(request, scratch);
    sum += found == nullptr ? 0 : found->name.size();
  }
  std::printf("%zu\n", sum);
}
