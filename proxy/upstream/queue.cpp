#include "proxy/upstream/queue.hpp"

#include <algorithm>
#include <exception>
#include <iterator>

namespace baton::upstream {

Place::~Place() {
  if (standing_) queue_->free_place(standing_, max_connections_, runtime::monotonic_ms());
}

bool Queue::enter(const std::shared_ptr<Waiter>& waiter, std::uint64_t at_most) {
  auto waiters = waiters_.lock();
  if (waiters->size() >= at_most) return false;
  // Those of a predecessor have waited longer than others that are here already.
  auto place = waiters->end();
  while (place != waiters->begin() && (*std::prev(place))->since_ms > waiter->since_ms) --place;
  waiters->insert(place, waiter);
  waiting_.store(waiters->size(), std::memory_order_relaxed);
  return true;
}

void Queue::leave(const std::shared_ptr<Waiter>& waiter) {
  auto waiters = waiters_.lock();
  waiters->remove(waiter);
  waiting_.store(waiters->size(), std::memory_order_relaxed);
}

void Queue::free_place(const std::shared_ptr<Standing>& standing, std::int64_t max_connections,
                       std::int64_t now_ms) noexcept {
  const bool has_room = standing->load.everywhere() <= max_connections;
  if (has_room && is_used() && pass_on(standing, max_connections, now_ms)) return;
  standing->load.add(-1);
}

void Queue::fill(const std::shared_ptr<Standing>& standing, std::int64_t max_connections,
                 std::int64_t now_ms) noexcept {
  while (is_used()) {
    const bool has_room = standing->load.add(1) + standing->load.elsewhere() <= max_connections;
    if (has_room && pass_on(standing, max_connections, now_ms)) continue;
    standing->load.add(-1);
    return;
  }
}

bool Queue::pass_on(const std::shared_ptr<Standing>& standing, std::int64_t max_connections,
                    std::int64_t now_ms) noexcept {
  const bool takes_anybody = standing->takes_requests(now_ms);
  if (!takes_anybody && !standing->takes_its_clients(now_ms)) return false;
  auto waiters = waiters_.lock();
  const auto next = std::ranges::find_if(*waiters, [&](const auto& waiter) {
    return waiter->only == standing.get() || (waiter->only == nullptr && takes_anybody);
  });
  if (next == waiters->end()) return false;
  try {
    // A Place, in the waiter's own thread. The function is copied on its way, so only there it becomes one.
    (*next)->loop.post([waiter = *next, queue = shared_from_this(), standing, max_connections] {
      waiter->on_place(Place(queue, standing, max_connections));
    });
  } catch (const std::exception&) {
    return false;  // no memory: it goes on waiting
  }
  waiters->erase(next);
  waiting_.store(waiters->size(), std::memory_order_relaxed);
  return true;
}

}  // namespace baton::upstream
