// A test's settings in Baton's configuration; everything else keeps its default.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "harness/address.hpp"
#include "harness/temp_dir.hpp"

namespace baton::harness {

struct Server {
  Address address;
  unsigned weight = 1;
};

struct Settings {
  std::vector<Server> servers = {};
  std::vector<Address> binds = {};  // empty: one free port of 127.0.0.1
  std::string protocol = "http";
  std::string tls = {};             // of the listener: "certificates: [ … ], min_version: "1.3""; empty: plain
  std::string more_listeners = {};  // lines of YAML: "  - { name: raw, … }\n"
  std::string more_upstreams = {};  // likewise
  std::string upstream_tls = {};    // of the upstream: "{ ca: /path }"; empty: plain
  std::string server_protocol = "http1";  // of the upstream
  std::string more = {};            // lines of YAML at the end
  std::vector<Address> tcp_binds = {};  // a second listener, raw TCP, to the same servers; empty: none
  std::string topology = {};  // listeners and upstreams as YAML, replacing those made from the above
  std::string limits = {};    // "head_bytes: 1k"; likewise log
  // A busy machine must not fail a test, so only tests of a timeout set a short one.
  std::string timeouts = "handshake: 60s, head: 60s";
  std::string handoff = "ready_timeout: 15s, step_timeout: 15s";
  std::string log = {};
  std::vector<Address> more_admin = {};  // admin addresses besides its Unix socket
  unsigned workers = 2;
  bool own_binary = false;       // run a copy in the test's directory, which the test can replace
  std::vector<std::string> arguments = {};  // more of `baton run`
  unsigned descriptors_max = 0;  // RLIMIT_NOFILE, soft and hard; 0: ours
  std::string shell = {};        // shell commands before it execs the program: "exec 2>&-"
  bool unprivileged = false;     // if tests run as root: run as nobody, which then owns the directory
  unsigned user = 0;             // the same, as this user; 0: as nobody, or not at all

  Settings() = default;
  explicit Settings(const Address& server) : servers{{server}} {}
};

// The configuration as YAML, with its handoff socket, admin socket and PID file in `directory`.
std::string to_yaml(const Settings& settings, const TempDir& directory);

}  // namespace baton::harness
