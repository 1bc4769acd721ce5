// What an instance passes on besides its connections: its paths, its counters, and signals received meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/state/address.hpp"
#include "proxy/state/canary_clients.hpp"
#include "proxy/state/crashes.hpp"
#include "proxy/state/history.hpp"
#include "proxy/state/listener_trust.hpp"
#include "proxy/state/route_record.hpp"
#include "proxy/state/server_facts.hpp"
#include "proxy/state/upgrade_record.hpp"

namespace baton::state {

// The program that a rollback starts again; its executable is a descriptor and travels alongside.
struct Program {
  std::vector<std::string> arguments;
  std::string configuration;           // complete, with includes and environment resolved
  std::string version;
  std::vector<std::string> features;   // those its decoder understands
  bool operator==(const Program&) const = default;
};

// What the name servers last said.
struct NamedServer {
  SocketAddress address;  // an IP address
  unsigned weight = 0;    // 0: the configuration says it
  bool backup = false;
  bool operator==(const NamedServer&) const = default;
};
using KnownNames = std::map<std::string, std::vector<NamedServer>, std::less<>>;  // by the question's text

struct InstanceRecord {
  std::string handoff_socket;          // empty: none
  std::string pid_file;
  std::string admin;
  std::uint64_t accepted_total = 0;    // over all generations so far
  std::uint64_t requests_total = 0;
  std::vector<int> signals;
  bool draining = false;               // load balancers are told to send traffic elsewhere
  bool maintenance = false;            // requests get the configured page instead of a server's answer
  std::vector<std::string> lent;       // addresses of listening sockets that the service manager bound
  std::vector<std::string> arguments;  // the sender's command line; empty: unknown
  bool after_crash = false;            // the sender served nothing itself: it replaces a crashed process
  std::optional<Program> previous;     // with after_crash: the program that ran before the crashed one
  std::uint64_t lock_device = 0;       // identifies the sender's lock file; 0: unknown
  std::uint64_t lock_inode = 0;
  KnownNames names{};
  std::vector<ServerRecord> servers;  // of all upstreams, as far as they are known
  std::string hash_key;               // of the instance, for hashes that clients must not be able to aim; empty: none
  std::int64_t rates_clock_us = 0;    // to be added to the sender's CLOCK_MONOTONIC for the shared memory of rates
  std::uint64_t rate_refusals_total = 0;        // as requests_total: requests over their rates,
  std::uint64_t connection_refusals_total = 0;  // and connections beyond those that a client may have,
  std::uint64_t access_refusals_total = 0;      // and connections to tcp listeners of clients without access
  std::vector<RouteRecord> routes{};            // of those that have had requests
  std::vector<ListenerTrust> trust{};           // of listeners that have connections
  std::int64_t keeper = 0;                      // the PID of the sender's keeper; 0: it has none
  Crashes crashes{};                            // in Done and Returned: only the last one, of a keeper or a parent
  bool shares_ledger = false;                   // it has adopted its predecessor's ledger of counters
  bool holds_lock = false;                      // with after_crash: the sender does, until its Done
  bool logs_json = false;  // for those who log beside the sender, and do not read its configuration
  UpgradeRecords upgrades{};
  std::optional<UpgradeRecord> upgrade{};  // in Done: the one that ends with it, as far as it had come
  History history{};
  std::optional<CanaryClients> canary{};  // the receiver is one
  bool operator==(const InstanceRecord&) const = default;
};

std::string encode(const InstanceRecord& record);
std::optional<InstanceRecord> decode_instance_record(std::string_view bytes);

}  // namespace baton::state
