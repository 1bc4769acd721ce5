#include "config/config.hpp"

#include <algorithm>

namespace baton::config {

std::string Address::text() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  if (!srv.empty()) return "srv:" + srv;
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

const Upstream* Config::find_upstream(const std::string& name) const {
  const auto found = std::ranges::find(upstreams, name, &Upstream::name);
  return found == upstreams.end() ? nullptr : &*found;
}

}  // namespace baton::config
