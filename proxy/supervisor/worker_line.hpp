// A worker's line to its supervisor: what a replacement would need, and how this worker means to end. A thread sends,
// so that a hung supervisor does not block the worker; the supervisor itself sends nothing on it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "handoff/channel.hpp"
#include "handoff/guarded.hpp"
#include "handoff/parties.hpp"
#include "handoff/report.hpp"
#include "handoff/start.hpp"

namespace baton::supervisor {

// What an instance reports about itself.
struct Announcement {
  handoff::Side self;
  std::vector<std::string> features;
  handoff::Estate estate;
};

class WorkerLine {
 public:
  // Arrives through the door that we inherited, if any. Call it once, before there is another thread; it makes its own
  // when there is something to send. Nothing: there is no supervisor.
  static std::unique_ptr<WorkerLine> from_environment();
  WorkerLine(handoff::UniqueFd door, handoff::UniqueFd line, pid_t supervisor);
  ~WorkerLine();

  pid_t supervisor() const { return supervisor_; }
  handoff::LeftDescriptor door() const { return {handoff::supervisor_variable, door_.get()}; }
  // Readable once the supervisor is gone, or has read `succeeded_by`: it then sends this process no more signals.
  int descriptor() const { return line_.descriptor(); }

  // This process is the instance, described in full. Replaces an announcement that has not been sent yet.
  void announce(Announcement announcement);
  // Another process is the instance. `foreign`: it is not our child, and so no descendant of the supervisor.
  void succeeded_by(pid_t successor, bool foreign);
  // This process ends of its own accord and must not be replaced, or it will never be the instance.
  void leave();
  // Waits until everything has been sent: the supervisor reads it before it acts on the end of this process. False: the
  // time ran out; a hung supervisor must not hold up the service.
  bool sent_within(std::chrono::milliseconds limit);
  // Sends what is queued, within a bounded time. Nothing can be sent afterwards.
  void end();

 private:
  struct Sending {
    Announcement announcement;
    std::vector<handoff::UniqueFd> copies;   // of the estate's descriptors
  };
  struct Successor {
    pid_t pid = 0;
    bool foreign = false;
  };
  struct Leaving {};
  using Message = std::variant<Sending, Successor, Leaving>;

  struct Outbox {
    std::deque<Message> queue;  // the front one may be partly sent
    bool is_sending = false;
    bool is_ending = false;
  };

  void queue(Message message);
  void send_all();
  handoff::Result<void> send(const Message& message);

  handoff::UniqueFd door_;
  handoff::Channel line_;
  pid_t supervisor_ = 0;
  handoff::Guarded<Outbox> outbox_;
  std::condition_variable changed_;
  std::thread sender_;
};

}  // namespace baton::supervisor
