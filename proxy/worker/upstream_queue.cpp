// Exchanges that wait: for a server, because each has its max_connections, or for a descriptor.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "proxy/worker/upstream_side.hpp"
#include "proxy/worker/worker.hpp"

namespace baton::proxy {

namespace {

// How often a request that waits for one server looks whether that server is still there.
constexpr std::int64_t look_at_server_ms = 1'000;

// The kernel reports no event when a descriptor becomes free.
constexpr std::int64_t try_again_ms = 100;

}  // namespace

// Outlives its exchange while a place is on its way to it.
class UpstreamSide::Turn final : public upstream::Waiter {
 public:
  Turn(runtime::Loop& its_loop, std::int64_t began_ms, const upstream::Standing* only_at, ExchangeRunner& owner,
       std::shared_ptr<upstream::Queue> queue)
      : Waiter(its_loop, began_ms, only_at), owner_(&owner), queue_(std::move(queue)) {}

  void on_place(upstream::Place place) override {
    if (owner_ != nullptr) owner_->on_place(std::move(place));
  }
  static void end(const std::shared_ptr<Turn>& turn) {
    turn->owner_ = nullptr;
    turn->queue_->leave(turn);
  }

 private:
  ExchangeRunner* owner_;  // nullptr: it waits no longer
  std::shared_ptr<upstream::Queue> queue_;
};

UpstreamSide::Queued::~Queued() {
  Turn::end(turn);
}

UpstreamSide::Progress UpstreamSide::enter_queue(state::Exchange& exchange, const upstream::Server* only) {
  const config::Queue& rules = *upstream_->balancing().queue;
  if (exchange.queued_since_ms == 0) exchange.queued_since_ms = worker_.now_ms();
  const std::int64_t deadline_ms = exchange.queued_since_ms + rules.wait.count();
  if (worker_.now_ms() >= deadline_ms) return Progress::unavailable;
  auto turn = std::make_shared<Turn>(worker_.loop(), exchange.queued_since_ms,
                                     only != nullptr ? only->standing.get() : nullptr, owner_, upstream_->queue());
  if (!upstream_->queue()->enter(turn, rules.at_most)) return Progress::unavailable;
  // A server that goes down frees no place for those that wait for it alone.
  const std::int64_t look_ms = only != nullptr ? worker_.now_ms() + look_at_server_ms : deadline_ms;
  stands_.emplace<Queued>(std::move(turn), std::min(deadline_ms, look_ms));
  return Progress::waiting;
}

UpstreamSide::Progress UpstreamSide::take(upstream::Place place, const Asking& of) {
  stands_ = Nothing{};
  upstream::Server* const server = upstream_->with(place.standing());
  if (server == nullptr) return connect(of);
  const std::uint64_t sticky = affinity(of).sticky;
  server->begin_exchange(std::move(place));
  return with(*server, sticky, of);
}

// Retries for as long as a connect may take.
UpstreamSide::Progress UpstreamSide::await_descriptor(std::int64_t connect_ms) {
  if (worker_.has_all_upstream_connections()) worker_.note_upstream_missed();
  const auto* before = std::get_if<AwaitingDescriptor>(&stands_);
  const std::int64_t now_ms = worker_.now_ms();
  const std::int64_t until_ms = before != nullptr ? before->until_ms : now_ms + connect_ms;
  if (now_ms < until_ms) {
    stands_ = AwaitingDescriptor{until_ms, now_ms + try_again_ms};
    return Progress::waiting;
  }
  const bool is_limit = worker_.has_all_upstream_connections();
  worker_.note_connect_failure(server_->address,
                               is_limit ? "limits.upstream_connections is reached" : std::strerror(EMFILE));
  drop(false);
  return is_limit ? Progress::unavailable : Progress::unreachable;
}

}  // namespace baton::proxy
