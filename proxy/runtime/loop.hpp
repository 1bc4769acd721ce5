// The event loop of one thread: epoll, edge-triggered, with nothing between a readiness event and the engine that uses
// it.
//
// No operation is ever in flight: bytes are read straight into a connection's state after the kernel has reported them,
// so between two events every state is consistent and can be frozen.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "handoff/unique_fd.hpp"

struct epoll_event;

namespace baton::runtime {

std::int64_t monotonic_ms();
std::int64_t monotonic_us();
std::int64_t unix_us();

// Lives until the end of the current round of events, so that an event already received still finds it.
class Disposable {
 public:
  virtual ~Disposable() = default;

 private:
  friend class Loop;
  Disposable* disposed_before_ = nullptr;   // not nullptr: disposed of; itself: it was the first
};

class EventHandler : public Disposable {
 public:
  // `events` as from epoll; 0: called again because it asked for that (Loop::again).
  virtual void on_events(std::uint32_t events) = 0;
};

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Registers a descriptor; false and errno if the kernel has no room. Call `remove` before it is closed or sent away:
  // the registration belongs to the open file, which a successor shares.
  bool add(int fd, std::uint32_t events, EventHandler& handler);
  void remove(int fd);

  // Runs `task` in this thread, soon. From any thread.
  void post(std::function<void()> task);
  // The same, but waits until it has run and rethrows what it throws. Not from this thread.
  void call(const std::function<void()>& task);

  // Calls the handler again, after the pending events and the handlers that asked before it.
  void again(EventHandler& handler) { again_.push_back(&handler); }
  // Needs no memory, so it can be used to close things when memory runs out.
  void dispose(std::unique_ptr<Disposable> what) noexcept;

  // Gets exceptions from a handler, a posted task or the tick; the loop continues.
  std::function<void(const std::exception& error)> on_failure;

  // The most repeat calls (`again`) between two polls of the kernel, so a new event waits for no more than this many.
  static constexpr std::size_t turns_per_round = 16;

  // Called about every `tick_ms`.
  static constexpr std::int64_t tick_ms = 50;
  std::function<void(std::int64_t now_ms)> on_tick;

  // Counts the sockets of all loops that are given the same counter, which outlives them.
  void count_sockets_in(std::atomic<std::uint64_t>& counter) { sockets_ = &counter; }
  void socket_opened() {
    if (sockets_ != nullptr) sockets_->fetch_add(1, std::memory_order_relaxed);
  }
  void socket_closed() {
    if (sockets_ != nullptr) sockets_->fetch_sub(1, std::memory_order_relaxed);
  }

  // Counts as a socket that has yet to be opened.
  class Promise {
   public:
    explicit Promise(Loop& loop) : loop_(loop) { loop_.socket_opened(); }
    ~Promise() { loop_.socket_closed(); }
    Promise(const Promise&) = delete;
    Promise& operator=(const Promise&) = delete;

   private:
    Loop& loop_;
  };

  // CLOCK_MONOTONIC at the start of this round of events.
  std::int64_t now_ms() const { return now_ms_; }

  void run();                        // until stop()
  void stop();                       // from any thread
  // Handles one event, or one posted or repeated task. False: nothing arrived within the time.
  bool run_one(int timeout_ms);

 private:
  class Mailbox;

  void wait(std::int64_t timeout_ms);
  bool step();                       // one event of this round; false: the round is over
  void end_round();
  void destroy_disposed();
  template <class Step>
  void guarded(Step&& step) noexcept;

  handoff::UniqueFd epoll_;
  std::unique_ptr<Mailbox> mailbox_;
  std::vector<epoll_event> events_;
  std::size_t next_event_ = 0;
  std::size_t event_count_ = 0;
  std::deque<EventHandler*> again_;
  std::size_t turns_left_ = 0;       // for those in again_, in this round
  Disposable* disposed_ = nullptr;   // the newest
  std::int64_t now_ms_ = 0;
  std::int64_t next_tick_ms_ = 0;
  bool stopped_ = false;
  std::atomic<std::uint64_t>* sockets_ = nullptr;
};

}  // namespace baton::runtime
