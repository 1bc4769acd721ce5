#include "proxy/upstream/suspicion.hpp"

#include <algorithm>

namespace baton::upstream {

void Suspicion::forget_old(std::int64_t now_ms, const Terms& terms) {
  const std::int64_t since_ms = now_ms - terms.within_ms;
  while (!failures_.empty() && failures_.front() <= since_ms) failures_.pop_front();
  const auto is_old = [&](const Client& client) { return client.last_ms <= since_ms; };
  std::erase_if(failing_, is_old);
  std::erase_if(served_, is_old);
}

void Suspicion::forget_all() {
  failures_.clear();
  failing_.clear();
  served_.clear();
  suspected_.store(false, std::memory_order_relaxed);
}

bool Suspicion::note_failure(std::uint64_t client, std::int64_t now_ms, const Terms& terms) {
  const std::lock_guard lock(mutex_);
  forget_old(now_ms, terms);
  std::erase_if(served_, [&](const Client& one) { return one.hash == client; });
  const auto known = std::ranges::find(failing_, client, &Client::hash);
  if (known != failing_.end()) {
    known->last_ms = now_ms;
  } else {
    failing_.push_back({client, now_ms});
  }
  failures_.push_back(now_ms);
  while (failures_.size() > terms.failures) failures_.pop_front();
  suspected_.store(true, std::memory_order_relaxed);
  const std::size_t count = served_.empty() ? failures_.size() : failing_.size();
  if (count < terms.failures) return false;
  forget_all();
  return true;
}

void Suspicion::note_success(std::uint64_t client, std::int64_t now_ms, const Terms& terms) {
  const std::lock_guard lock(mutex_);
  forget_old(now_ms, terms);
  if (failing_.empty()) return forget_all();
  if (std::ranges::find(failing_, client, &Client::hash) != failing_.end()) return;
  const auto known = std::ranges::find(served_, client, &Client::hash);
  if (known != served_.end()) {
    known->last_ms = now_ms;
  } else if (served_.size() < served_kept) {
    served_.push_back({client, now_ms});
  } else {
    *std::ranges::min_element(served_, {}, &Client::last_ms) = {client, now_ms};
  }
}

}  // namespace baton::upstream
