#include "proxy/admin/routes.hpp"

#include <boost/json.hpp>

#include "proxy/runtime/text.hpp"

namespace baton::admin {

namespace json = boost::json;

std::string routes_json(const std::vector<RouteStatus>& routes) {
  json::array list;
  for (const RouteStatus& route : routes) {
    list.push_back({{"name", runtime::valid_utf8(route.name)},
                    {"match", runtime::valid_utf8(route.match)},
                    {"action", runtime::valid_utf8(route.action)},
                    {"file", runtime::valid_utf8(route.file)},
                    {"line", route.line},
                    {"requests_total", route.requests_total},
                    {"failures_total", route.failures_total}});
  }
  return json::serialize(json::object{{"routes", std::move(list)}});
}

}  // namespace baton::admin
