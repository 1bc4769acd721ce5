#include "harness/settings.hpp"

namespace baton::harness {

std::string to_yaml(const Settings& settings, const TempDir& directory) {
  std::string binds, servers;
  for (const Address& bind : settings.binds) binds += (binds.empty() ? "\"" : ", \"") + bind.text() + "\"";
  for (const Server& server : settings.servers)
    servers +=
        "      - { address: \"" + server.address.text() + "\", weight: " + std::to_string(server.weight) + " }\n";
  std::string yaml =
      "version: 1\n"
      "listeners:\n"
      "  - name: web\n"
      "    bind: [" +
      binds +
      "]\n"
      "    protocol: " +
      settings.protocol + "\n" + (settings.protocol == "tcp" ? "    upstream: web\n" : "") +
      "upstreams:\n"
      "  - name: web\n"
      "    servers:\n" +
      servers + "handoff: { socket: " + directory / "handoff.sock" +
      (settings.handoff.empty() ? "" : ", " + settings.handoff) +
      " }\n"
      "admin: { bind: \"unix:" +
      directory / "admin.sock" +
      "\" }\n"
      "pid_file: " +
      directory / "baton.pid" +
      "\n"
      "workers: " +
      std::to_string(settings.workers) + "\n";
  if (!settings.timeouts.empty()) yaml += "timeouts: { " + settings.timeouts + " }\n";
  if (!settings.limits.empty()) yaml += "limits: { " + settings.limits + " }\n";
  if (!settings.log.empty()) yaml += "log: { " + settings.log + " }\n";
  return yaml;
}

}  // namespace baton::harness
