#include "proxy/worker/carriers.hpp"

#include <algorithm>
#include <utility>

#include "proxy/worker/worker.hpp"

namespace baton::proxy {

Carriers::Carriers(Worker& worker, Connection& connection, state::ConnectionState& state,
                   std::vector<handoff::UniqueFd> sockets)
    : worker_(worker), connection_(connection), state_(state) {
  if (!state.carriers) return;
  auto socket = sockets.begin();
  for (const auto& leg : *state.carriers) {
    auto stream = std::make_unique<tls::Stream>(worker.loop(), std::move(*socket++), worker.pool());
    carriers_.push_back(std::make_unique<Carrier>(worker, connection, *leg, std::move(stream)));
  }
}

Carrier& Carriers::add(std::unique_ptr<tls::Stream> stream, state::Boxed<state::UpstreamLeg> leg) {
  carriers_.reserve(carriers_.size() + 1);
  if (!state_.carriers) state_.carriers.emplace();
  state::Carriers& legs = *state_.carriers;
  std::uint32_t number = 0;
  for (const auto& one : legs) number = std::max(number, one->carrier);
  leg->carrier = number + 1;
  legs.push_back(std::move(leg));
  return *carriers_.emplace_back(std::make_unique<Carrier>(worker_, connection_, *legs.back(), std::move(stream)));
}

Carrier& Carriers::with(std::uint32_t number) const {
  return **std::ranges::find(carriers_, number, [](const auto& one) { return one->leg().carrier; });
}

Carrier* Carriers::to(const upstream::Server& server, const upstream::Upstream& upstream, bool fresh) const {
  const auto fits = [&](const auto& one) {
    const state::UpstreamLeg& leg = one->leg();
    return leg.upstream == upstream.name() && !upstream.is_worn_out(leg, worker_.now_ms()) &&
           leg.server == server.address && state::terms_of(leg) == server.terms && one->has_room() &&
           !(fresh && leg.reused);
  };
  const auto found = std::ranges::find_if(carriers_, fits);
  return found != carriers_.end() ? found->get() : nullptr;
}

void Carriers::leave(const ExchangeRunner& user, const state::UpstreamLeg& stream) noexcept {
  const std::uint32_t number = stream.carrier;
  Carrier& carrier = with(number);
  carrier.leave(user, stream);
  if (!carrier.has_streams()) release(number);
}

void Carriers::release_if_unused(const Carrier& carrier) {
  if (!carrier.has_streams()) release(carrier.leg().carrier);
}

// Whatever is still to be sent on it, such as the end of its last stream, goes out at once or never.
void Carriers::release(std::uint32_t number) noexcept {
  const auto at = std::ranges::find(carriers_, number, [](const auto& one) { return one->leg().carrier; });
  const auto place = at - carriers_.begin();
  const bool may_be_used_again = (*at)->finish();
  std::unique_ptr<Carrier> carrier = std::move(*at);
  carriers_.erase(at);
  state::Carriers& legs = *state_.carriers;
  state::Boxed<state::UpstreamLeg> leg = std::move(legs[static_cast<std::size_t>(place)]);
  legs.erase(legs.begin() + place);
  if (legs.empty()) state_.carriers.reset();
  worker_.pool_or_close(std::move(carrier->stream()), std::move(leg), may_be_used_again);
  worker_.loop().dispose(std::move(carrier));
}

// ── Those that wait ───────────────────────────────────────────────────────────────────────────────────────────────

bool Carriers::may_follow(const upstream::Server& server, std::uint64_t streams_each) const {
  const auto leaders = static_cast<std::uint64_t>(std::ranges::count(leaders_, &server, &Leader::server));
  const auto followers = static_cast<std::uint64_t>(std::ranges::count(followers_, &server, &Follower::server));
  return leaders != 0 && (streams_each == 0 || leaders + followers < leaders * streams_each);
}

void Carriers::end_lead(const ExchangeRunner& leader, bool is_connected) noexcept {
  for (;;) {
    const auto at = std::ranges::find(leaders_, &leader, &Leader::runner);
    if (at == leaders_.end()) return;
    const upstream::Server* const server = at->server;
    leaders_.erase(at);
    for (const Follower& one : followers_) {
      if (one.server != server) continue;
      one.runner->upstream().stop_following(is_connected);
      connection_.touch(*one.runner);
    }
    std::erase_if(followers_, [&](const Follower& one) { return one.server == server; });
  }
}

void Carriers::forget(const ExchangeRunner& follower) {
  std::erase_if(followers_, [&](const Follower& one) { return one.runner == &follower; });
}

// ── A turn ────────────────────────────────────────────────────────────────────────────────────────────────────────

bool Carriers::read(std::size_t& moved) {
  bool progress = false;
  for (const auto& one : carriers_) progress = one->read(moved) || progress;
  return progress;
}

bool Carriers::write(std::size_t& moved) {
  bool progress = false;
  for (const auto& one : carriers_) progress = one->write(moved) || progress;
  return progress;
}

bool Carriers::can_move() const {
  return std::ranges::any_of(carriers_,
                             [](const auto& one) { return one->can_read() || one->can_write() || one->can_seal(); });
}

// ── Freezing ──────────────────────────────────────────────────────────────────────────────────────────────────────

bool Carriers::watch() {
  return std::ranges::all_of(carriers_, [](const auto& one) { return one->stream()->watch(); });
}

void Carriers::freeze() {
  for (const auto& one : carriers_) one->stream()->freeze();
}

void Carriers::note_shared() {
  for (const auto& one : carriers_) one->stream()->socket().note_shared();
}

void Carriers::let_go() {
  for (const auto& one : carriers_) one->stream()->socket().release();
}

}  // namespace baton::proxy
