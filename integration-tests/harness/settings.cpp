#include "harness/settings.hpp"

namespace baton::harness {

std::string to_yaml(const Settings& settings, const TempDir& directory) {
  const auto list = [](const std::vector<Address>& addresses) {
    std::string texts;
    for (const Address& address : addresses) texts += (texts.empty() ? "\"" : ", \"") + address.text() + "\"";
    return texts;
  };
  const std::string tcp =
      "  - { name: tcp, bind: [" + list(settings.tcp_binds) + "], protocol: tcp, upstream: web }\n";
  std::string servers;
  for (const Server& server : settings.servers)
    servers +=
        "      - { address: \"" + server.address.text() + "\", weight: " + std::to_string(server.weight) + " }\n";
  const std::string one_of_each =
      "listeners:\n"
      "  - name: web\n"
      "    bind: [" +
      list(settings.binds) +
      "]\n"
      "    protocol: " +
      settings.protocol + "\n" + (settings.protocol == "tcp" ? "    upstream: web\n" : "") +
      (settings.tls.empty() ? "" : "    tls: { " + settings.tls + " }\n") + (settings.tcp_binds.empty() ? "" : tcp) +
      settings.more_listeners +
      "upstreams:\n"
      "  - name: web\n"
      "    servers:\n" +
      servers + (settings.upstream_tls.empty() ? "" : "    tls: " + settings.upstream_tls + "\n") +
      (settings.protocol == "tcp" ? "" : "    protocol: " + settings.server_protocol + "\n") + settings.more_upstreams;
  const std::string own_admin = "\"unix:" + directory / "admin.sock" + "\"";
  std::string yaml =
      "version: 1\n" + (settings.topology.empty() ? one_of_each : settings.topology) +
      "handoff: { socket: " + directory / "handoff.sock" +
      (settings.handoff.empty() ? "" : ", " + settings.handoff) +
      " }\n"
      "admin: { bind: " +
      (settings.more_admin.empty() ? own_admin : "[ " + own_admin + ", " + list(settings.more_admin) + " ]") +
      " }\n"
      "pid_file: " +
      directory / "baton.pid" +
      "\n"
      "workers: " +
      std::to_string(settings.workers) + "\n";
  if (!settings.timeouts.empty()) yaml += "timeouts: { " + settings.timeouts + " }\n";
  if (!settings.limits.empty()) yaml += "limits: { " + settings.limits + " }\n";
  if (!settings.log.empty()) yaml += "log: { " + settings.log + " }\n";
  return yaml + settings.more;
}

}  // namespace baton::harness
