// The queries and commands of the admin interface to this process. Runs in the main thread.
#pragma once

#include <functional>
#include <optional>

#include "proxy/admin/admin.hpp"
#include "proxy/server/data_path.hpp"
#include "proxy/server/generation.hpp"
#include "proxy/server/reloads.hpp"
#include "proxy/server/role.hpp"
#include "proxy/server/status.hpp"
#include "proxy/server/supervision.hpp"
#include "proxy/server/upgrades.hpp"

namespace baton::proxy {

class Commands {
 public:
  struct Parts {  // all outlive it
    const Role& role;
    Generation& generation;
    DataPath& data_path;
    Supervision& supervision;
    Reloads& reloads;
    Upgrades& upgrades;
    StatusReporter& status;
    std::function<void(int signal)> on_signal;
    // Called before an upgrade: ends a conversation whose outcome is already known.
    std::function<void()> settle;
  };
  explicit Commands(Parts parts) : parts_(std::move(parts)) {}

  admin::Source source();

 private:
  bool is_ready() const { return !parts_.generation.is_draining && parts_.role.is_ready(); }
  void obey(admin::Command command, admin::ReplySink answer);
  // Nor can a configuration be applied then.
  std::optional<std::string> why_no_reload() const;
  unsigned status_of(const Reloads::Outcome& outcome) const;
  void reload(admin::ReplySink answer);
  void configure(admin::ConfigurationCommand command, admin::ReplySink answer);
  std::optional<admin::Reply> refusal_beside_canary() const;
  admin::Reply stop();
  admin::Reply drain(bool on);
  admin::Reply maintenance(bool on);
  admin::Reply server(const admin::ServerCommand& command);
  void reopen_logs(admin::ReplySink answer);
  std::optional<admin::Reply> upgrade(const admin::UpgradeCommand& command, admin::LineSink lines);
  bool has_just_come_back() const;
  std::optional<admin::Reply> promote(UpgradeAttempt& attempt, admin::LineSink lines);
  std::optional<admin::Reply> call_off(UpgradeAttempt& attempt, admin::LineSink lines);

  const Parts parts_;
};

}  // namespace baton::proxy
