#include "proxy/server/launch.hpp"

#include <utility>

#include "proxy/process/paths.hpp"
#include "proxy/process/signals.hpp"
#include "proxy/server/server.hpp"

namespace baton::proxy {

Prepared prepare(config::Config config, bool has_predecessor, bool is_given) {
  const process::StopsEndUs meanwhile;
  Prepared prepared{.settings = make_settings(
                        std::move(config), std::make_shared<tls::TicketKeys>(), std::make_shared<upstream::Registry>(),
                        {}, has_predecessor ? Unknown::leave : Unknown::ask, std::make_shared<rates::Counts>(), {},
                        is_given ? Unusable::leave_out : Unusable::refuse),
                    .listeners = {},
                    .admin = {}};
  prepared.listeners = look_up_listeners(prepared.settings->config);
  prepared.admin = look_up_admin(process::resolve_paths(prepared.settings->config).admin);
  return prepared;
}

int serve(LaunchOptions options, handoff::UniqueFd& channel, bool speaks_first) {
  Server server(std::move(options));
  return channel ? server.run_as_successor(channel, speaks_first) : server.run();
}

}  // namespace baton::proxy
