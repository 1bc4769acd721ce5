// How a process begins to serve. The command line needs this, and not the server's parts.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/provenance.hpp"
#include "handoff/unique_fd.hpp"
#include "proxy/keeper/keeper.hpp"
#include "proxy/process/activation.hpp"
#include "proxy/process/notify.hpp"
#include "proxy/server/listener.hpp"
#include "proxy/supervisor/worker_line.hpp"

namespace baton::proxy {

struct Settings;

// A configuration as read: checked, and as a single text with everything resolved and its provenance.
struct LoadedConfiguration {
  config::Config config;
  config::Provenance provenance;
  std::string text;
};

// Reads the file again, or if it is given, the text that a client applies; an error is a text for people, one line per
// problem.
using LoadConfiguration =
    std::function<std::expected<LoadedConfiguration, std::string>(const std::optional<std::string>& applied)>;

// What takes long and may fail: names looked up and files read, before we meet an instance that would wait for us.
struct Prepared {
  std::shared_ptr<const Settings> settings;
  std::vector<WantedSocket> listeners;  // those of the settings, with names looked up
  std::vector<WantedSocket> admin;      // the same for admin.bind
};

// `has_predecessor`: it knows most names, and passes them on. `is_given`: the configuration comes from another process,
// which served with it. Then one that has taken the place of a crashed one, or goes back to an older program, does not
// fail because of one folder of certificates. Throws std::runtime_error for problems that the operator must fix.
Prepared prepare(config::Config config, bool has_predecessor, bool is_given);

struct LaunchOptions {
  Prepared prepared;
  std::vector<std::string> arguments;  // our own, complete: a successor is started with the same
  std::string configuration_text;
  config::Provenance provenance;
  std::string version;
  LoadConfiguration load;
  process::Notifier notifier;  // to the service manager
  process::PassedSockets passed;
  std::unique_ptr<supervisor::WorkerLine> supervisor;  // empty: no supervisor
  std::unique_ptr<keeper::Keeper> keeper;              // may be empty
};

// Serves until a signal or a successor ends it, and returns the exit code: as the first generation, or as the successor
// at the other end of `channel` if there is one. `speaks_first`: we connected on our own, as an external successor.
// Throws std::runtime_error for problems that the operator must fix; then it has not taken the channel.
int serve(LaunchOptions options, handoff::UniqueFd& channel, bool speaks_first);

}  // namespace baton::proxy
