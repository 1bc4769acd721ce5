// Finds the route of a request, the given number of times: with one route for everything, with hosts, with hosts and
// paths, with a path that must be resolved. Run it under callgrind with two counts: the difference, divided by that of
// the counts, is the instructions of one request.
//
//   valgrind --tool=callgrind --callgrind-out-file=/dev/null route_bench one|hosts|paths|resolved 1000
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/routing/route_table.hpp"

namespace {

using namespace baton;

config::Config routes(bool hosts, bool paths) {
  config::Config config;
  config.upstreams = {{.name = "app"}};
  for (int i = 0; hosts && i < 100; ++i) {
    const std::string host = "host-" + std::to_string(i) + ".example.com";
    config.routes.push_back({.match = {.hosts = {host}}, .upstream = "app"});
    for (int j = 0; paths && j < 10; ++j) {
      const std::string prefix = "/v" + std::to_string(j);
      config.routes.push_back({.match = {.hosts = {host}, .path_prefix = prefix}, .upstream = "app"});
    }
  }
  config.routes.push_back({.upstream = "app"});
  return config;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  const long count = argc > 2 ? std::atol(argv[2]) : 0;
  if (count <= 0) return 2;
  const routing::RouteTable table(routes(what != "one", what == "paths" || what == "resolved"));
  const std::string_view target = what == "resolved" ? "/v4/./users/%31" : "/v4/users/1?full=true";
  std::size_t sum = 0;
  for (long i = 0; i < count; ++i) {
    const routing::Route* found = table.find("host-42.example.com:8080", target);
    sum += found == nullptr ? 0 : found->name.size();
  }
  std::printf("%zu\n", sum);
}
