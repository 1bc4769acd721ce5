#include "proxy/worker/carrier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "proxy/worker/worker.hpp"

namespace baton::proxy {

using runtime::Io;

namespace {

// A server that stays silent this long while a request waits may be dead.
constexpr std::int64_t silence_ms = 1'000;
constexpr std::uint32_t last_id = 0x7fff'ffff;

state::UpstreamLeg& leg_of(const ExchangeRunner& user) {
  return *user.side().upstream();
}

}  // namespace

Carrier::Carrier(Worker& worker, Connection& connection, state::UpstreamLeg& leg, std::unique_ptr<tls::Stream> stream)
    : worker_(worker), connection_(connection), leg_(leg), frames_(*leg.frames), stream_(std::move(stream)) {
  leg_.descriptor.number = stream_->socket().descriptor();
  stream_->socket().set_owner(*this);
  is_over_ = leg.read_ended || frames_.has_failed;
}

bool Carrier::has_room() const {
  const bool takes_more = !is_over_ && !takes_no_more_ && !is_doubtful_ && !frames_.goaway_came && !frames_.has_failed;
  return takes_more && users_.size() < std::min(frames_.peer_streams_max, frames_.streams_max) &&
         frames_.last_stream < last_id - 2 * users_.size() - 2;
}

bool Carrier::finish() noexcept {
  try {
    std::size_t moved = 0;
    write(moved);
  } catch (const std::bad_alloc&) {
    return false;
  }
  return has_room() && frames_.block_stream == 0 && !stream_->has_to_send(leg_);
}

bool Carrier::can_seal() const {
  if (is_over_ || takes_no_more_) return false;
  const http2::Terms terms = worker_.http2_terms();
  return std::ranges::any_of(
      users_, [&](const User& one) { return http2::can_seal(frames_, leg_, leg_of(*one.runner), terms); });
}

void Carrier::leave(const ExchangeRunner& user, const state::UpstreamLeg& stream) noexcept {
  std::erase_if(users_, [&](const User& one) { return one.runner == &user; });
  try {
    end(stream);
  } catch (const std::bad_alloc&) {
    is_over_ = true;  // the server would not learn of it
  }
}

void Carrier::end(const state::UpstreamLeg& stream) {
  const std::uint32_t id = stream.stream->id;
  if (id == 0) return;
  if (stream.was_reset) {
    constexpr auto refused = static_cast<std::uint32_t>(http2::Error::refused_stream);
    is_doubtful_ = is_doubtful_ || stream.stream->reset_code == refused;
    return;
  }
  if (stream.read_ended && stream.stream->end_sent) return http2::note_ended(frames_, id);
  http2::reset(frames_, leg_, stream, http2::Error::cancel);
  const bool is_silent = leg_.read_at_ms <= stream.write_at_ms && stream.write_at_ms + silence_ms <= worker_.now_ms();
  is_doubtful_ = is_doubtful_ || is_silent;
}

// ── The streams, as the frames see them ───────────────────────────────────────────────────────────────────────────

void Carrier::join(ExchangeRunner& user) {
  users_.push_back({leg_of(user).stream->id, &user});
}

state::Flow* Carrier::find(std::uint32_t id) {
  const auto found = std::ranges::find(users_, id, &User::id);
  if (found == users_.end()) return nullptr;
  found_ = static_cast<std::size_t>(found - users_.begin());
  return &leg_of(*found->runner);
}

// Servers begin no streams.
state::Flow& Carrier::begin(std::uint32_t) {
  std::abort();
}

void Carrier::note_touched(state::Flow& flow) {
  const auto is_it = [&](const User& one) { return &leg_of(*one.runner) == &flow; };
  if (found_ < users_.size() && is_it(users_[found_])) return connection_.touch(*users_[found_].runner);
  const auto found = std::ranges::find_if(users_, is_it);
  if (found != users_.end()) connection_.touch(*found->runner);
}

void Carrier::each(void (*visit)(state::Flow& flow, void* with), void* with) {
  for (const User& one : users_) visit(leg_of(*one.runner), with);
}

// ── A turn ────────────────────────────────────────────────────────────────────────────────────────────────────────

bool Carrier::read(std::size_t& moved) {
  if (!can_read()) return false;
  const std::size_t before = leg_.unread.size();
  switch (stream_->receive(leg_, state::Buffer::block_bytes)) {
    case Io::done:
      break;
    case Io::ended:
      leg_.read_ended = true;
      break;
    case Io::failed:
      if (!stream_->failure().empty()) {
        worker_.note_connection_failure(leg_, fmt::format("TLS: {}", stream_->failure()));
      }
      fail();
      return true;
    case Io::would_block:
      return false;
  }
  moved += leg_.unread.size() - before;
  leg_.reused = false;  // it is alive
  leg_.read_at_ms = worker_.now_ms();
  http2::Scratch& scratch = worker_.http2_scratch();
  if (!http2::open(frames_, leg_, *this, worker_.http2_terms(), worker_.now_ms(), floods_, scratch)) {
    worker_.note_connection_failure(leg_, fmt::format("HTTP/2: {}", scratch.failure));
    fail();
  } else if (leg_.read_ended) {
    fail();
  }
  return true;
}

void Carrier::fail() {
  is_over_ = true;
  for (const User& one : users_) {
    state::UpstreamLeg& leg = leg_of(*one.runner);
    const bool is_whole = leg.read_ended && !leg.was_reset;
    if (!is_whole) leg.read_ended = leg.was_reset = true;
    leg.drop_unsent();
    connection_.touch(*one.runner);
  }
}

bool Carrier::write(std::size_t& moved) {
  if (is_over_ || takes_no_more_) return false;
  const http2::Terms terms = worker_.http2_terms();
  return_credit(terms);
  bool progress = seal(terms);
  if (!can_write()) return progress;
  const std::size_t before = leg_.unsent.size();
  switch (stream_->send(leg_, worker_.now_ms())) {
    case Io::done:
      leg_.write_at_ms = worker_.now_ms();
      moved += before - std::min(before, leg_.unsent.size());
      return true;
    case Io::failed:
      takes_no_more_ = true;
      leg_.unsent.clear();
      return true;
    default:
      return progress;
  }
}

// A frame of each in turn, so that a large body does not hold up the others.
bool Carrier::seal(const http2::Terms& terms) {
  bool progress = false;
  const std::size_t open = users_.size();
  for (bool goes_on = true; goes_on;) {
    goes_on = false;
    for (std::size_t i = 0; i < open; ++i) {
      User& user = users_[(first_ + i) % open];
      state::UpstreamLeg& leg = leg_of(*user.runner);
      if (!http2::seal(frames_, leg_, leg, terms)) continue;
      if (leg.unsent.empty()) floods_.note_sent();  // no window holds it back
      user.id = leg.stream->id;
      leg.write_at_ms = worker_.now_ms();
      connection_.note_sealed(*user.runner);
      goes_on = progress = true;
    }
  }
  if (open != 0) first_ = (first_ + 1) % open;
  return progress;
}

void Carrier::return_credit(const http2::Terms& terms) {
  std::uint64_t held = 0;
  for (const User& one : users_) {
    state::UpstreamLeg& leg = leg_of(*one.runner);
    held += leg.unread.size();
    http2::return_credit(frames_, leg_, leg);
  }
  http2::return_credit(frames_, leg_, held, terms);
}

void Carrier::on_ready(runtime::Socket&) {
  connection_.go_on();
}

}  // namespace baton::proxy
