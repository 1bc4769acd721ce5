// Requests that wait because each server of their upstream has its max_connections. One for each upstream and process.
//
// A place at a server that becomes free goes straight to the request that has waited longest, whichever worker has it:
// nobody else can take it meanwhile, and nobody else is woken.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>

#include "handoff/guarded.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/upstream/standing.hpp"

namespace baton::upstream {

class Queue;

// A place among the exchanges in flight of a server. Its owner must `keep` it, or it becomes free again.
class Place {
 public:
  Place(std::shared_ptr<Queue> queue, std::shared_ptr<Standing> standing, std::int64_t max_connections)
      : queue_(std::move(queue)), standing_(std::move(standing)), max_connections_(max_connections) {}
  Place(Place&& other) noexcept = default;
  Place& operator=(Place&&) = delete;
  ~Place();

  const Standing& standing() const { return *standing_; }
  // It is the caller's, who counts it down later.
  void keep() { standing_ = nullptr; }

 private:
  std::shared_ptr<Queue> queue_;
  std::shared_ptr<Standing> standing_;  // none: kept, or moved from
  std::int64_t max_connections_;
};

// A request that waits. Its worker's thread alone uses it, except for what is const.
class Waiter {
 public:
  Waiter(runtime::Loop& its_loop, std::int64_t began_ms, const Standing* only_at)
      : loop(its_loop), since_ms(began_ms), only(only_at) {}
  virtual ~Waiter() = default;

  // It has a place.
  virtual void on_place(Place place) = 0;

  runtime::Loop& loop;  // of its worker; outlives it
  const std::int64_t since_ms;
  const Standing* const only;  // the server that its client belongs to; nullptr: any
};

class Queue : public std::enable_shared_from_this<Queue> {
 public:
  // Somebody waits. Any thread; cheap.
  bool is_used() const { return waiting_.load(std::memory_order_relaxed) != 0; }
  std::uint64_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  // False: the queue is full.
  bool enter(const std::shared_ptr<Waiter>& waiter, std::uint64_t at_most);
  // A place that is on its way to it becomes free when it arrives.
  void leave(const std::shared_ptr<Waiter>& waiter);

  // An exchange with the server has ended: its place goes to a waiter, or becomes free. Never throws.
  void free_place(const std::shared_ptr<Standing>& standing, std::int64_t max_connections,
                  std::int64_t now_ms) noexcept;
  // Gives free places to waiters: the server may have come up, or may take more than before. Never throws.
  void fill(const std::shared_ptr<Standing>& standing, std::int64_t max_connections, std::int64_t now_ms) noexcept;

 private:
  // The place is counted. False: it goes to nobody.
  bool pass_on(const std::shared_ptr<Standing>& standing, std::int64_t max_connections, std::int64_t now_ms) noexcept;

  std::atomic<std::uint64_t> waiting_{0};
  handoff::Guarded<std::list<std::shared_ptr<Waiter>>> waiters_;  // longest wait first
};

}  // namespace baton::upstream
