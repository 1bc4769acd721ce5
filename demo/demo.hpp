// `baton demo`: live upgrades under load on this machine only, and a verdict. It starts a built-in origin, the same
// baton binary that users run in front of it, and a few hundred clients of all kinds, plain and over TLS, that verify
// every byte and never reconnect. After the upgrades the serving process is killed, and a share of the clients tries a
// faulty successor, which must be called back.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "demo/scoreboard.hpp"

namespace baton::demo {

struct Options {
  // Live upgrades, one after another.
  unsigned upgrades = 5;

  // Client connections, each opened once for the whole demo; at least 30, one of each kind over plain TCP, TLS 1.3 and
  // TLS 1.2.
  unsigned clients = 300;

  // The target rate of all clients together, in requests per second.
  unsigned requests_per_second = 3000;

  // Seconds from the end of one upgrade to the next.
  double seconds_between_upgrades = 2.0;

  // Seconds that one upgrade may take before the demo calls it failed.
  double upgrade_timeout_seconds = 20.0;

  // Serve a page at this address (page_demo.hpp) while upgrades run, until a signal.
  std::optional<std::string> page;

  // With the page: end after so many seconds.
  std::optional<double> page_seconds;

  // The baton binary to start and upgrade to.
  std::string binary;

  // Do not show how a reload of nginx affects the same clients.
  bool no_nginx = false;

  // Plain lines even on a terminal (the default if stdout is not one, or if TERM is unset or "dumb").
  bool plain = false;
};

// Runs the demo on standard output. Returns 0 if no client saw an error, a close or a reconnect, every upgrade
// completed, the canary was called back, and the proxy accepted exactly the connections that clients opened; 1
// otherwise, with an explanation and the proxy's last log lines; 128 + N if ended by signal N (SIGINT, SIGTERM, SIGHUP,
// or SIGPIPE from its output). Leaves no process and no file behind. Call it before starting other threads: it blocks
// those signals while it runs.
int run(const Options& options);

// The same on a stream.
int run(const Options& options, std::ostream& out, Display display);

}  // namespace baton::demo
