#include "proxy/admin/resources.hpp"

#include <algorithm>
#include <iterator>

namespace baton::admin {

namespace http = boost::beast::http;

namespace {

using What = Resource::What;

constexpr std::string_view reading = "GET, HEAD";
constexpr Resource resources[] = {{"/", What::page, reading},
                                  {"/healthz", What::healthz, reading},
                                  {"/readyz", What::readyz, reading},
                                  {"/status", What::status, reading},
                                  {"/metrics", What::metrics, reading},
                                  {"/servers", What::servers, reading},
                                  {"/routes", What::routes, reading},
                                  {"/history", What::history, reading},
                                  {"/events", What::events, reading},
                                  {"/config", What::configuration, "GET, HEAD, PUT"},
                                  {"/server", What::server, "POST"},
                                  {"/upgrade", What::upgrade, "POST"},
                                  {"/promote", What::promote, "POST"},
                                  {"/rollback", What::rollback, "POST"},
                                  {"/reload", What::command, "POST"},
                                  {"/stop", What::command, "POST"},
                                  {"/reopen-logs", What::command, "POST"},
                                  {"/drain", What::command, "POST, DELETE"},
                                  {"/maintenance", What::command, "POST, DELETE"}};

}  // namespace

bool Resource::allows(http::verb method) const {
  switch (method) {
    case http::verb::get:
    case http::verb::head:
      return allowed.starts_with(reading);
    case http::verb::put:
      return allowed.ends_with("PUT");
    case http::verb::post:
      return allowed.starts_with("POST");
    case http::verb::delete_:
      return allowed.ends_with("DELETE");
    default:
      return false;
  }
}

bool Resource::is_read_only() const {
  return allowed == reading;
}

const Resource* find_resource(std::string_view path) {
  const auto* found = std::ranges::find(resources, path, &Resource::path);
  return found != std::end(resources) ? found : nullptr;
}

Command command_of(std::string_view path, http::verb method) {
  if (path == "/reload") return Command::reload;
  if (path == "/stop") return Command::stop;
  if (path == "/reopen-logs") return Command::reopen_logs;
  const bool ends = method == http::verb::delete_;
  if (path == "/maintenance") return ends ? Command::end_maintenance : Command::maintenance;
  return ends ? Command::undo_drain : Command::drain;
}

}  // namespace baton::admin
