// The role of a supervisor's worker: keeps the supervisor informed and does not outlive it. Without a supervisor,
// nothing here has any effect. Runs in the main thread.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <memory>
#include <optional>

#include "handoff/start.hpp"
#include "proxy/keeper/keeper.hpp"
#include "proxy/server/data_path.hpp"
#include "proxy/server/role.hpp"
#include "proxy/supervisor/worker_line.hpp"

namespace baton::proxy {

class Supervision {
 public:
  struct Parts {
    const Role& role;  // these two outlive it
    const DataPath& data_path;
    std::function<supervisor::Announcement()> describe;
    std::function<int()> lock;  // the descriptor of the instance's lock
  };
  // `line` is empty without a supervisor. `keeper` may be.
  Supervision(boost::asio::io_context& context, std::unique_ptr<supervisor::WorkerLine> line,
              std::unique_ptr<keeper::Keeper> keeper, Parts parts);

  pid_t lasting_pid() const;  // the one that the PID file names
  std::optional<pid_t> supervisor() const;
  std::optional<handoff::LeftDescriptor> door() const;  // for a successor

  // `hear_signals` obeys the signals that have arrived so far; `gone` stops this process once the supervisor is gone.
  void watch(std::function<void()> hear_signals, std::function<void()> gone);
  bool is_gone() const { return is_gone_; }

  // Null: there is none.
  keeper::Keeper* keeper() const { return keeper_.get(); }
  // What a keeper must know in a conversation: its channels (handoff::Donor::converses); that the lock may be another's;
  // of a successor, what is to survive before it is the instance.
  std::function<void(int channel, int spare)> for_conversation(keeper::Partner partner) const;
  void note_resigned(bool is_it) {
    if (keeper_) keeper_->note_resigned(is_it);
  }
  void note_prepared();

  // As the instance: sends what a replacement would need, after each change. The supervisor has it when this returns.
  // Call it before the change is visible to others, since anyone who sees it may kill this process.
  void announce();
  // This process ends of its own accord; the supervisor has this, too, when it returns.
  void leave();
  // The same for a process that has never been the instance; does not wait.
  void leave_unserved();
  // `foreign`: the successor is not our child.
  void succeeded_by(pid_t successor, bool foreign);
  void end();

  // A supervisor that does not know of our successor yet sends us signals that are meant for it.
  std::optional<pid_t> heir() const { return heir_; }
  // Signals from now on are meant for us.
  void heir_is_known();

 private:
  void await_telling();

  std::unique_ptr<supervisor::WorkerLine> line_;
  std::unique_ptr<keeper::Keeper> keeper_;
  Parts parts_;
  boost::asio::posix::stream_descriptor watched_;  // readable when the supervisor is gone or knows our successor
  std::function<void()> hear_signals_;
  std::function<void()> gone_;
  bool is_gone_ = false;
  std::optional<pid_t> heir_;  // while the supervisor may take us for the instance
};

}  // namespace baton::proxy
