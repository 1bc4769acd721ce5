// `baton demo`: live upgrades under load on this machine alone, and a verdict. It starts a built-in origin, the very
// binary that people run in front of it, and a few hundred clients of all kinds, plain and over TLS, that verify every
// byte and never reconnect.
#pragma once

#include <iosfwd>
#include <string>

namespace baton::demo {

struct Options {
  // Live upgrades, one after another.
  unsigned upgrades = 5;

  // Client connections, each opened once for the whole demo; at least 27, one of each kind
  // in plain, over TLS 1.3 and over TLS 1.2.
  unsigned clients = 300;

  // Requests per second that all clients together aim at.
  unsigned requests_per_second = 3000;

  // Seconds from the end of one upgrade to the next.
  double seconds_between_upgrades = 2.0;

  // Seconds that one upgrade may take before the demo calls it failed.
  double upgrade_timeout_seconds = 20.0;

  // The baton binary to start and upgrade to; empty: the one that runs the demo.
  std::string binary;

  // Do not show what a reload of nginx does to the same clients, even where nginx is installed.
  bool no_nginx = false;

  // Plain lines even on a terminal (the default where stdout is none, or NO_COLOR or TERM=dumb is set).
  bool plain = false;
};

// Runs the demo on standard output. 0: no client saw an error, a close or a reconnect, every upgrade completed, and
// the proxy accepted exactly the connections that the clients opened. 1: anything else, said in plain words with the
// proxy's last log lines. 128 + N: ended by signal N (SIGINT, SIGTERM, SIGHUP, or SIGPIPE from its output). No process
// and no file is left. Call it before other threads are started: it blocks those signals for its own time.
int run(const Options& options);

// The same onto a stream; `in_place` redraws one scoreboard instead of writing line after line.
int run(const Options& options, std::ostream& out, bool in_place);

}  // namespace baton::demo
