#include "demo/page_view.hpp"

#include <boost/json.hpp>

namespace baton::demo {

namespace json = boost::json;

namespace {

const char* name_of(PageEvent::Kind kind) {
  switch (kind) {
    case PageEvent::Kind::upgrade:
      return "upgrade";
    case PageEvent::Kind::came_back:
      return "came_back";
    case PageEvent::Kind::failed:
      break;
  }
  return "failed";
}

json::array events_of(const PageView& view) {
  json::array events;
  for (const PageEvent& event : view.events) {
    events.push_back({{"kind", name_of(event.kind)},
                      {"colour", event.colour},
                      {"heading", event.heading},
                      {"detail", event.detail}});
  }
  return events;
}

json::object nginx_of(const PageView& view) {
  if (!view.nginx) return {{"missing", view.no_nginx}};
  const BesideView& nginx = *view.nginx;
  return {{"version", nginx.version},
          {"live", nginx.live},
          {"cut", nginx.cut},
          {"reloads", nginx.reloads},
          {"old_workers", nginx.old_workers}};
}

}  // namespace

std::uint64_t PageView::dropped() const {
  return clients.errors() + clients.closes() + dropped_by_pages;
}

std::string to_json(const PageView& view) {
  json::object object{
      {"doing", view.doing},
      {"busy", view.busy},
      {"next_upgrade_s", view.next_upgrade_seconds},
      {"serving",
       {{"colour", view.colour}, {"version", view.version}, {"pid", view.pid}, {"generation", view.generation}}},
      {"dropped", view.dropped()},
      {"load",
       {{"clients", view.live},
        {"clients_wanted", view.clients_wanted},
        {"answered", view.clients.answered},
        {"bytes", view.clients.bytes},
        {"requests_per_s", view.requests_per_second},
        {"requests_per_s_wanted", view.requests_per_second_wanted},
        {"p99_ms", static_cast<double>(view.p99.count()) / 1000},
        {"few_clients", view.few_clients},
        {"shortfall", view.shortfall}}},
      {"upgrades", view.upgrades},
      {"came_back", view.came_back},
      {"events", events_of(view)},
      {"nginx", nginx_of(view)},
      {"ended", nullptr}};
  if (!view.verdict.empty()) object["ended"] = {{"passed", view.passed}, {"verdict", view.verdict}};
  return json::serialize(object);
}

}  // namespace baton::demo
