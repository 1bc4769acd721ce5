// Any request takes the route that trying all of them finds.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

#include "proxy/routing/route_table.hpp"
#include "proxy/routing/testing/slow_routes.hpp"

namespace {

using namespace baton;

// The path of a target in the compared form, without the host of an absolute target.
std::string slow_path(std::string_view target) {
  return target.starts_with('/') ? config::slowly_matched(target) : "";
}

}  // namespace

// The first byte chooses the routes and the rest of the request; then come a host, a line feed, and the target.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const std::size_t line = input.find('\n');
  if (line == std::string_view::npos || line == 0) return 0;
  std::minstd_rand engine(data[0] + 1u);
  const auto random = [&](std::size_t end) { return engine() % end; };
  const config::Config config = routing::test::random_routes(random);
  const std::string_view host = input.substr(1, line - 1);
  const std::string_view target = input.substr(line + 1);

  routing::test::Rest rest = routing::test::random_rest(random);
  const std::size_t mark = target.find('?');
  rest.query = mark == std::string_view::npos ? "" : target.substr(mark + 1);
  const routing::Request request = rest.request(host, target);

  const routing::RouteTable table(config);
  routing::Scratch scratch;
  const routing::Route* found = table.find(request, scratch);
  const auto reason = table.explain(request);
  if (reason.route != found) std::abort();
  if (!target.starts_with('/') && target.find("://") != std::string_view::npos) return 0;
  // The forms of an address are tested elsewhere; this uses the table's own.
  const std::string matched_host = host.starts_with('[') ? reason.host : routing::test::slowly_matched_host(host);
  const config::Route* expected = routing::test::slowly_found(config.routes, matched_host, slow_path(target), rest);
  if ((found == nullptr) == (expected == nullptr) && (found == nullptr || found->name == expected->name)) return 0;
  std::fprintf(stderr, "found %s, expected %s\n", found ? found->name.c_str() : "-",
               expected ? expected->name.c_str() : "-");
  std::abort();
}
