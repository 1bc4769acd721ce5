#include "proxy/admin/servers.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <iterator>

#include "proxy/runtime/text.hpp"

namespace baton::admin {

namespace json = boost::json;

namespace {

struct Order {
  std::string_view name;
  ServerCommand::What what;
};
constexpr Order orders[] = {
    {"up", ServerCommand::What::up}, {"drain", ServerCommand::What::drain}, {"down", ServerCommand::What::down}};

constexpr std::string_view expected_form =
    "expected {\"server\": \"UPSTREAM/ADDRESS\", \"order\": \"up\", \"drain\" or \"down\"}, or \"weight\": 1 to 256";

}  // namespace

std::string servers_json(const std::vector<ServerStatus>& servers) {
  json::array list;
  for (const ServerStatus& server : servers) {
    list.push_back({{"upstream", runtime::valid_utf8(server.upstream)},
                    {"address", runtime::valid_utf8(server.address)},
                    {"state", server.state},
                    {"why", runtime::valid_utf8(server.why)},
                    {"since_ms", server.since_ms},
                    {"weight", server.weight},
                    {"slow_start", server.is_slow},
                    {"backup", server.is_backup},
                    {"connections", server.in_flight},
                    {"requests_total", server.requests_total},
                    {"failures_total", server.failures_total},
                    {"response_p50_ms", server.p50_ms},
                    {"response_p99_ms", server.p99_ms}});
  }
  return json::serialize(json::object{{"servers", std::move(list)}});
}

std::expected<ServerCommand, std::string> read_server_command(std::string_view body) {
  boost::system::error_code error;
  const json::value parsed = json::parse(body, error);
  const auto* object = error ? nullptr : parsed.if_object();
  if (object == nullptr || object->size() != 2) return std::unexpected(std::string(expected_form));
  const auto* server = object->if_contains("server");
  if (server == nullptr || !server->is_string()) return std::unexpected(std::string(expected_form));
  const std::string_view name(server->as_string());
  // The name of an upstream has no slash; a Unix path has some.
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos)
    return std::unexpected("a server is named UPSTREAM/ADDRESS, as in app/127.0.0.1:9000");
  ServerCommand command{.upstream = std::string(name.substr(0, slash)), .address = std::string(name.substr(slash + 1))};
  if (const auto* weight = object->if_contains("weight")) {
    const auto* number = weight->if_int64();
    if (number == nullptr || *number < 1 || *number > 256) return std::unexpected("a weight is a number from 1 to 256");
    command.what = ServerCommand::What::weight;
    command.weight = static_cast<unsigned>(*number);
    return command;
  }
  const auto* order = object->if_contains("order");
  if (order == nullptr || !order->is_string()) return std::unexpected(std::string(expected_form));
  const std::string_view word(order->as_string());
  const auto found = std::ranges::find(orders, word, &Order::name);
  if (found == std::end(orders)) return std::unexpected(std::string(expected_form));
  command.what = found->what;
  return command;
}

}  // namespace baton::admin
