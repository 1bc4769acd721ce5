// The data path: the settings in force, the workers that use them, and what the workers share. Runs in the main thread;
// a conversation's thread may use `workers` and `shared`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "proxy/access_log/access_log.hpp"
#include "proxy/server/background.hpp"
#include "proxy/server/listener.hpp"
#include "proxy/server/workers.hpp"
#include "proxy/state/instance_record.hpp"
#include "proxy/worker/settings.hpp"

namespace baton::proxy {

class DataPath {
 public:
  // Opens the access log. `background` outlives this.
  DataPath(std::shared_ptr<const Settings> settings, Background& background);

  const std::shared_ptr<const Settings>& settings() const { return settings_; }
  const config::Config& config() const { return settings_->config; }
  const config::Handoff& handoff() const { return settings_->config.handoff; }
  Shared& shared() { return shared_; }
  std::uint64_t generation() const { return shared_.generation; }
  std::uint64_t connections() const { return shared_.connections; }

  // Requests of clients that the configuration does not except get its page.
  void set_maintenance(bool on) { shared_.maintenance = on; }
  bool is_in_maintenance() const { return shared_.maintenance; }

  // Throws if the threads cannot be started.
  void start(std::uint64_t generation);
  bool has_started() const { return workers_ != nullptr; }
  // Once they have started.
  Workers& workers() { return *workers_; }
  // Writes what is known of servers and routes into the record, for another process; and reads it from one's.
  void describe(const metrics::Totals& totals, state::InstanceRecord& record);
  void learn(const state::InstanceRecord& record);
  // The successor gives the service back: learns what it knows of servers, and adds what it has counted since it began
  // with `inherited`.
  void add_counted(const state::InstanceRecord& record, const state::InstanceRecord& inherited);
  // All counters, with what the workers have counted so far.
  metrics::Totals totals();
  // Ends the threads, closes what is still open and writes what is still to be logged.
  void end();

  // ── Accepting ─────────────────────────────────────────────────────────────────────────────────────────────────
  void accept_on(const std::vector<BoundSocket>& sockets);  // insists
  void stop_accepting();                                    // insists
  // Throws if memory is short.
  void accept_only_on(std::span<const BoundSocket* const> sockets);
  // Serves the connections that wait in the queue of a socket that is no longer accepted from.
  void empty_queue(const BoundSocket& socket);                 // insists
  void empty_queues(const std::vector<BoundSocket>& sockets);  // insists

  // ── Changing ──────────────────────────────────────────────────────────────────────────────────────────────────
  // Takes both; the workers have them after `reconfigure`.
  void replace(std::shared_ptr<const Settings> settings, std::shared_ptr<access_log::AccessLog> access_log);
  // The same configuration with other certificates or servers' addresses, also for the workers.
  void refresh(std::shared_ptr<const Settings> settings);
  // Before the start: adds servers whose names are not known yet, by `known` or else by asking. Throws
  // std::runtime_error for the operator.
  void complete_names(const state::KnownNames& known);
  // Before the start: whom a predecessor's listeners trust.
  void remember_listeners(const std::vector<state::ListenerTrust>& inherited);
  // Gives each worker all of it.
  void reconfigure(const std::vector<BoundSocket>& sockets);  // insists
  // `then` is called once they are reopened: a disk may take long to open a file.
  void reopen_logs(std::function<void()> then);

 private:
  void set_connection_limit();
  void put_servers_in_force();
  // What the workers may still have after a change.
  struct Replaced {
    std::shared_ptr<const Settings> settings;
    std::shared_ptr<access_log::AccessLog> access_log;
  };
  void let_go(Replaced replaced);
  ListeningSocket as_workers_see_it(const BoundSocket& socket) const;
  std::vector<ListeningSocket> as_workers_see_them(const std::vector<BoundSocket>& sockets) const;

  std::shared_ptr<const Settings> settings_;
  Background& background_;
  Shared shared_;
  std::shared_ptr<access_log::AccessLog> access_log_;
  Replaced replaced_;
  std::unique_ptr<Workers> workers_;
};

}  // namespace baton::proxy
