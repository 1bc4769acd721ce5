// What `GET /status` and `GET /metrics` report: one instance's numbers at one moment, as a value.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/provenance.hpp"
#include "handoff/report.hpp"
#include "proxy/admin/certificates.hpp"
#include "proxy/admin/routes.hpp"
#include "proxy/admin/servers.hpp"
#include "proxy/metrics/families.hpp"
#include "proxy/state/crashes.hpp"
#include "proxy/state/upgrade_record.hpp"

namespace baton::admin {

struct Connections {
  std::uint64_t idle = 0;        // keep-alive, between two requests
  std::uint64_t head = 0;        // part of a request head has arrived
  std::uint64_t exchange = 0;
  std::uint64_t tunnel = 0;
  std::uint64_t closing = 0;     // an answer of our own is being sent, or the client is given time to read it
  std::uint64_t upstream_idle = 0;

  std::uint64_t total() const { return idle + head + exchange + tunnel + closing; }
};

using LastUpgrade = state::UpgradeRecord;

// Those of one listener that speak the same.
struct OpenConnections {
  std::string listener;
  std::string protocol;  // http/1, http/2, tcp
  std::string tls;       // none, 1.2, 1.3
  std::uint64_t connections = 0;
  std::uint64_t exchanges = 0;
};

struct QueueStatus {
  std::string upstream;
  std::uint64_t waiting = 0;
};

// What a rollback would go back to.
struct Rollback {
  std::string version;
  std::uint64_t unknown = 0;     // connections that it could not serve
};

// A socket we accept on, for clients or (as "@admin") for the admin interface.
struct Listening {
  std::string listener;
  std::string address;
};

enum class State {
  serving,
  draining,    // load balancers are told to go elsewhere, but everything is still served
  stopping,
};
const char* name_of(State state);

struct Status {
  std::uint64_t generation = 1;
  std::int64_t pid = 0;
  std::optional<std::int64_t> supervisor;   // the PID that stays the same
  std::optional<std::int64_t> keeper;       // the PID of the process that a crash leaves
  std::string version;
  State state = State::serving;
  bool ready = true;                  // as /readyz says
  bool maintenance = false;           // switched on by command
  config::Provenance configuration;   // of the one in force
  bool admin_token = false;           // a client that has the token may send commands over TCP
  std::int64_t started_at_us = 0;     // of the process, microseconds since 1970
  std::uint64_t connections_max = 0;  // 0: no limit
  bool last_reload_ok = true;         // in this process; true if there was none
  std::vector<Listening> listening;
  Connections connections;
  std::vector<OpenConnections> open;
  std::vector<std::string> listeners, upstreams;  // names in the configuration
  std::vector<QueueStatus> queues;
  double ledger_used = 0;  // of the memory for counters, from 0 to 1
  metrics::Totals totals;  // the counters of all generations; some of them are here by themselves:
  std::uint64_t accepted_total = 0;
  std::uint64_t requests_total = 0;
  std::uint64_t rate_refusals_total = 0;        // requests over their rates,
  std::uint64_t connection_refusals_total = 0;  // and connections beyond those that a client may have,
  std::uint64_t access_refusals_total = 0;      // and connections to tcp listeners of clients without access
  std::uint64_t aborted_total = 0;              // and connections reset because serving them failed
  std::optional<LastUpgrade> last_upgrade;      // that created this process, or failed to replace it
  std::vector<LastUpgrade> upgrades;            // of any process before, too; the newest first
  std::optional<state::CanaryRecord> canary;    // of an upgrade under way
  state::Crashes crashes;             // of workers, over all generations
  std::vector<ServerStatus> servers;
  std::vector<RouteStatus> routes;
  std::vector<CertificateStatus> certificates;  // as `listed`
  std::optional<Rollback> rollback;   // none: no previous program is known
};

// Idle upstream connections move as parcels of their own; people count clients' connections.
struct Moved {
  std::map<std::string, std::uint64_t> clients;    // by state
  std::uint64_t clients_total = 0;
  std::uint64_t upstream_idle = 0;
};
Moved moved_of(const handoff::Report& report);

// Connections that did not move with a completed upgrade, in words; "" if all did.
std::string what_stayed(const handoff::Report& report);

// As JSON, one line.
std::string to_json(const Status& status);
std::string to_json(const LastUpgrade& upgrade);
std::string to_json(const state::CanaryRecord& canary);

}  // namespace baton::admin
