// What belongs to the instance: the lock, the PID file, the listening sockets, and the sockets where others find it
// (admin, handoff). A process opens or inherits all of it before it is the instance, gives it up to a successor, and
// may get it back. Runs in the main thread, except where it says otherwise.
#pragma once

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "handoff/guarded.hpp"
#include "handoff/instance.hpp"
#include "handoff/parties.hpp"
#include "proxy/process/activation.hpp"
#include "proxy/process/paths.hpp"
#include "proxy/server/admin_sockets.hpp"
#include "proxy/server/external_successors.hpp"
#include "proxy/server/listener.hpp"
#include "proxy/state/instance_record.hpp"

namespace baton::proxy {

// What an instance is made of, with names looked up.
struct InstancePlan {
  process::Paths paths;
  std::vector<WantedSocket> listeners;
  std::vector<WantedSocket> admin;
  process::PassedSockets passed;  // by the service manager
  pid_t named = 0;                // the PID that the PID file names
};

class Instance {
 public:
  // `context` outlives this. `begin_takeover` is called with every successor that has said Hello.
  Instance(boost::asio::io_context& context, InstancePlan plan, std::function<admin::Source()> admin_source,
           std::function<void(ExternalSuccessor)> begin_takeover);

  // ── Becoming it ───────────────────────────────────────────────────────────────────────────────────────────────
  // As the first process: takes the lock and prepares the rest. Throws std::runtime_error for the operator.
  void acquire();
  // As a successor: takes what the predecessor offers. Changes nothing visible to others. Errors are for its operator.
  handoff::Result<void> inherit(const state::InstanceRecord& record, handoff::Inheritance& inheritance,
                                std::chrono::milliseconds lock_patience);
  // The listening and admin sockets of `inherit`. Throws std::runtime_error for the operator.
  void take_sockets(const state::InstanceRecord& record, std::vector<handoff::InheritedSocket> inherited);
  // Answers on the admin sockets. Throws std::runtime_error for the operator.
  void open_admin();
  // As the holder of the lock: admits external successors.
  handoff::Result<void> open_meeting_point();
  // Answers as the instance on what was inherited.
  void resume_inherited();

  // ── Giving it up ──────────────────────────────────────────────────────────────────────────────────────────────
  // To a successor: stops answering and frees the lock.
  void give_up();
  // The lock is ours again.
  void reclaim();
  // Another process is the instance: the sockets are its own.
  void leave_to_others();
  // As an instance that ends: removes their paths, too.
  void close_listeners();
  // At the end of the instance: leaves nothing for others to find.
  void withdraw();
  // Never became the instance: removes only the paths that this process has made.
  void unlink_bound_here() const;
  // The process begins to end: new requests get no answer.
  void pause_admin() { admin_.pause(); }
  bool is_answering() const { return admin_.is_answering(); }
  void close_admin() { admin_.close(); }

  // ── Event streams ─────────────────────────────────────────────────────────────────────────────────────────────
  admin::EventStreams& events() { return events_; }
  // To a successor; of a predecessor.
  void offer_events(handoff::Estate& estate);
  void inherit_events(std::vector<handoff::InheritedSocket>& sockets) { events_.inherit(sockets); }

  // ── The lock, and what only its holder may do. These also in a conversation's thread. ─────────────────────────
  bool has_lock() const { return lock_.held(); }
  int lock_descriptor() const { return lock_.descriptor(); }
  bool take_lock_within(std::chrono::milliseconds patience) { return lock_.take_within(patience); }
  // The PID file names us from now on.
  handoff::Result<void> publish_pid() { return pid_file_.lock()->publish(); }
  // After a successor may have taken both: the lock is ours, and the PID file names us.
  bool take_back_within(std::chrono::milliseconds patience);
  const process::Paths& paths() const { return paths_; }

  // ── While it is the instance ──────────────────────────────────────────────────────────────────────────────────
  // A path may be removed from outside (by a cleaner, or another unit's RuntimeDirectory). That harms no connection.
  // Rebinds admin and handoff sockets whose paths have been removed; true if there were any.
  bool put_sockets_back();
  // The same for the lock file; an error means that an upgrade is not safe.
  handoff::Result<void> check_lock_path();

  const std::vector<BoundSocket>& sockets() const { return sockets_; }
  // Returns those of before.
  std::vector<BoundSocket> replace_sockets(std::vector<BoundSocket> sockets);
  std::vector<std::string> admin_addresses() const { return admin_.addresses(); }

  // The name of the successor that may take the lock next.
  std::uint64_t name_heir() { return lock_.name_heir(); }
  // Adds the sockets, and the lock if there is no file, to what a successor gets.
  void offer(handoff::Estate& estate) const;
  // The instance's part of the record.
  void describe(state::InstanceRecord& record) const;

 private:
  handoff::Result<void> open_inherited_lock(const state::InstanceRecord& record, handoff::UniqueFd passed);

  const process::Paths paths_;
  const std::vector<WantedSocket> wanted_listeners_;
  const std::vector<WantedSocket> wanted_admin_;
  process::PassedSockets passed_;  // until the sockets are taken
  const pid_t named_;
  handoff::InstanceLock lock_;
  handoff::Guarded<handoff::PidFile> pid_file_;
  std::vector<BoundSocket> sockets_;
  admin::EventStreams events_;
  AdminSockets admin_;
  std::string admin_known_as_;  // the admin address by which a successor identifies this instance
  ExternalSuccessors successors_;
};

}  // namespace baton::proxy
