// A worker's part in a handover: the predecessor's freezes and takes back, the successor's prepares and starts.
//
// A connection that is served is in the worker's list. A frozen one is in exactly one other place: `at_boundary_`
// (not offered yet), `offered_`, or `prepared_` (the successor's, until its Adopted is in the channel).
#include <new>

#include "proxy/runtime/log.hpp"
#include "proxy/state/codec.hpp"
#include "proxy/worker/worker.hpp"

namespace baton::proxy {

// ── The predecessor's side ────────────────────────────────────────────────────────────────────────────────────────

void Worker::begin_handover(std::int64_t finish_at_ms, std::function<void()> wake) {
  wake_ = std::move(wake);
  finish_at_ms_ = finish_at_ms;
  finish_announced_ = false;
  final_sweep_ = false;
  sweep_ = first_;
}

void Worker::begin_canary(std::shared_ptr<canary::Experiment> experiment, std::function<void()> wake) {
  count_in(std::move(experiment));
  only_canary_ = true;
  begin_handover(std::numeric_limits<std::int64_t>::max(), std::move(wake));
}

// One that still arrives or shakes hands is looked at afterwards. One that OpenSSL keeps cannot move.
bool Worker::is_of_canary(const Connection& connection) const {
  const state::ConnectionState& state = connection.state();
  if (std::holds_alternative<state::Arriving>(state.protocol) || !connection.is_movable() || connection.is_kept()) {
    return false;
  }
  const canary::Selection& selection = experiment_->selection;
  return selection.picks(selection.client_of(state, connection.is_trusted()));
}

bool Worker::freeze_next(handoff::Room& room, handoff::Batch& batch) {
  // Reserve first: a frozen connection must find room in the batch.
  batch.parcels.reserve(batch.parcels.size() + room.connections);
  // No new exchange begins here, so idle upstream connections move first, including that of an exchange that has just
  // ended: the clients find them in the successor.
  while (pool_.idle() != 0 && !only_canary_) {
    if (room.is_used_up()) return true;
    give_idle_upstream(room, batch);
  }
  while (!at_boundary_.empty()) {
    if (room.is_used_up()) return true;
    Connection& connection = *at_boundary_.front();
    at_boundary_.pop_front();
    give(connection, room, batch);
  }
  // Two sweeps over the list: first for those that can move now, and once the time is over for all others, wherever
  // they are. In between, connections freeze by themselves at their boundaries.
  if (!final_sweep_ && runtime::monotonic_ms() >= finish_at_ms_) {
    final_sweep_ = true;
    sweep_ = first_;
  }
  while (sweep_ != nullptr) {
    if (room.is_used_up()) return true;
    Connection& connection = *sweep_;
    sweep_ = connection.next_;
    if (only_canary_ && !is_of_canary(connection)) continue;
    if (connection.is_kept()) stay_where_it_is(connection);
    // A connection in its handshake freezes by itself when that is over.
    if (connection.stays_ || !connection.is_movable() || !(final_sweep_ || connection.at_boundary())) continue;
    connection.freeze();
    unlist(connection);
    give(connection, room, batch);
  }
  return listed_ > staying_;
}

bool Worker::boundary(Connection& connection) {
  if (!wake_ || connection.stays_ || (only_canary_ && !is_of_canary(connection))) return false;
  if (connection.is_kept()) {
    stay_where_it_is(connection);
    return false;
  }
  if (!connection.at_boundary()) return false;
  if (!put_at_boundary(connection)) return false;      // it continues, and a sweep finds it
  connection.freeze();
  unlist(connection);
  wake_();
  return true;
}

bool Worker::put_at_boundary(Connection& connection) noexcept {
  try {
    at_boundary_.push_back(&connection);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

handoff::Remaining Worker::remaining() const {
  handoff::Remaining remaining{.connections = 0, .descriptors = pool_.idle()};
  const auto add = [&](const Connection& connection) {
    if (connection.stays_ || connection.is_kept()) return;
    ++remaining.connections;
    remaining.descriptors += state::descriptors(connection.state());
  };
  for (const Connection* one = first_; one != nullptr; one = one->next_) add(*one);
  for (const Connection* one : at_boundary_) add(*one);
  return remaining;
}

void Worker::give(Connection& connection, handoff::Room& room, handoff::Batch& batch) {
  handoff::Parcel parcel;
  try {
    parcel.id = connection.state().id;
    parcel.label = state::phase_name(connection.state());
    parcel.frozen_at_us = connection.frozen_at_us();
    parcel.payload = state::encode(connection.state());
    parcel.secrets = state::encode_secrets(connection.state());
    parcel.required_features = state::required_features(connection.state());
    state::append_descriptors(connection.state(), parcel.descriptors);
    offered_.emplace(parcel.id, &connection);
  } catch (const std::bad_alloc&) {
    return stay(connection);
  }
  remember(connection, true);
  room.take(parcel);
  batch.parcels.push_back(std::move(parcel));
}

void Worker::give_idle_upstream(handoff::Room& room, handoff::Batch& batch) {
  upstream::Pool::Leaving leaving;
  if (!pool_.leave_one(leaving)) return;
  upstream::IdleConnection& connection = leaving.connection;
  if (connection.leg->tls && connection.leg->tls->stage == state::TlsStage::kept) {
    connection.stream->socket().close();
    loop_.dispose(std::move(connection.stream));
    return;
  }
  handoff::Parcel parcel;
  parcel.id = next_id();
  parcel.frozen_at_us = runtime::monotonic_us();
  connection.stream->freeze();
  FrozenUpstream frozen{{std::move(leaving.upstream), std::move(leaving.server), connection.since_ms,
                         connection.leg->requests, connection.leg->opened_ms,
                         std::move(static_cast<state::Leg&>(*connection.leg)), std::move(connection.leg->frames)},
                        std::move(connection.stream)};
  try {
    parcel.label = state::upstream_idle_label;
    parcel.descriptors.push_back(frozen.stream->socket().descriptor());
    parcel.payload = state::encode(frozen.idle);
    parcel.secrets = state::encode_secrets(frozen.idle);
    parcel.required_features = state::required_features(frozen.idle);
    offered_upstreams_.try_emplace(parcel.id).first->second = std::move(frozen);
  } catch (const std::bad_alloc&) {
    // If memory runs out, the idle connection is closed.
    frozen.stream->socket().close();
    loop_.dispose(std::move(frozen.stream));
    return;
  }
  room.take(parcel);
  batch.parcels.push_back(std::move(parcel));
}

void Worker::adopted(handoff::ParcelId id) {
  if (const auto found = offered_.find(id); found != offered_.end()) {
    Connection& connection = *found->second;
    offered_.erase(found);
    connection.let_go();
  } else if (const auto upstream = offered_upstreams_.find(id); upstream != offered_upstreams_.end()) {
    upstream->second.stream->socket().release();
    loop_.dispose(std::move(upstream->second.stream));
    offered_upstreams_.erase(upstream);
  }
}

void Worker::refused(handoff::ParcelId id) {
  if (const auto found = offered_.find(id); found != offered_.end()) {
    Connection& connection = *found->second;
    offered_.erase(found);
    remember(connection);
    connection.note_shared();
    stay(connection);
  } else {
    adopted(id);      // no longer needed here
  }
}

void Worker::take_back(handoff::ParcelId id) {
  if (const auto found = offered_.find(id); found != offered_.end()) {
    Connection& connection = *found->second;
    offered_.erase(found);
    remember(connection);
    connection.note_shared();
    list(connection);
    connection.resume();
  } else if (const auto upstream = offered_upstreams_.find(id); upstream != offered_upstreams_.end()) {
    FrozenUpstream frozen = std::move(upstream->second);
    offered_upstreams_.erase(upstream);
    frozen.stream->socket().note_shared();
    pool_idle_upstream(std::move(frozen));
  }
}

void Worker::end_handover() {
  wake_ = nullptr;
  only_canary_ = false;
  sweep_ = nullptr;
  while (!at_boundary_.empty()) {
    Connection& connection = *at_boundary_.front();
    at_boundary_.pop_front();
    list(connection);
    connection.resume();
  }
}

void Worker::stay(Connection& connection) {
  connection.stays_ = true;
  list(connection);
  connection.resume();
}

void Worker::stay_where_it_is(Connection& connection) {
  if (connection.stays_) return;
  connection.stays_ = true;
  if (connection.listed_) ++staying_;
  if (wake_ && listed_ == staying_) wake_();
}

// ── The successor's side ──────────────────────────────────────────────────────────────────────────────────────────

bool Worker::prepare(handoff::ParcelId id, state::Moved moved, std::vector<handoff::UniqueFd> descriptors) {
  if (auto* idle = std::get_if<state::IdleUpstream>(&moved)) {
    if (descriptors.size() != 1) return false;
    auto stream = std::make_unique<tls::Stream>(loop_, std::move(descriptors[0]), pool_);
    return prepared_upstreams_.emplace(id, FrozenUpstream{std::move(*idle), std::move(stream)}).second;
  }
  auto& state = std::get<state::ConnectionState>(moved);
  if (descriptors.size() != state::descriptors(state)) return false;
  state::set_descriptors(state, descriptors);
  std::vector<handoff::UniqueFd> upstreams(std::make_move_iterator(descriptors.begin() + 1),
                                           std::make_move_iterator(descriptors.end()));
  auto connection =
      std::make_unique<Connection>(*this, std::move(state), std::move(descriptors[0]), std::move(upstreams));
  if (!connection->watch()) return false;
  const auto [prepared, is_new] = prepared_.emplace(id, std::move(connection));
  // If we die, a keeper does not know whether our Adopted was sent; the other side does.
  if (is_new) remember(*prepared->second, true);
  return is_new;
}

// True for connections that a failed successor gives back: the next successor will be of the same generation and assign
// the same ids. If that is what we are, they are of our own generation.
bool Worker::may_be_assigned_again(std::uint64_t id) const {
  return id >> 48 == (shared_.generation & 0xffff) || id >> 48 == ((shared_.generation + 1) & 0xffff);
}

void Worker::start(handoff::ParcelId id) {
  if (const auto found = prepared_.find(id); found != prepared_.end()) {
    std::unique_ptr<Connection> owned = std::move(found->second);
    prepared_.erase(found);
    Connection& connection = *owned;
    shared_.connections.fetch_add(1, std::memory_order_relaxed);
    shared_.adopted.fetch_add(1, std::memory_order_relaxed);
    ++count_;
    list(*owned.release());
    remember(connection);
    if (may_be_assigned_again(connection.state().id)) connection.renew_id(next_id());
    // The predecessor does not any more, or only for a moment. It cannot count a canary's connections, but counts this one
    // until it has read Adopted: so the canary goes by its own count.
    const bool is_one_too_many = connection.count_for_client(true) && experiment_ != nullptr;
    connection.note_shared();  // until the predecessor has read Adopted and closed its copies
    if (is_one_too_many && connection.is_new()) {
      note_one_too_many(connection.state());
      return connection.end();
    }
    connection.run();
  } else if (const auto upstream = prepared_upstreams_.find(id); upstream != prepared_upstreams_.end()) {
    FrozenUpstream frozen = std::move(upstream->second);
    prepared_upstreams_.erase(upstream);
    frozen.stream->socket().note_shared();
    pool_idle_upstream(std::move(frozen));
  }
}

void Worker::drop(handoff::ParcelId id) {
  // Destroying them deregisters and closes the descriptors but ends no connection: the predecessor continues with these
  // sockets.
  if (const auto found = prepared_.find(id); found != prepared_.end()) {
    forget(*found->second);
    found->second->was_never_ours();
    loop_.dispose(std::move(found->second));
    prepared_.erase(found);
  }
  prepared_upstreams_.erase(id);
}

}  // namespace baton::proxy
