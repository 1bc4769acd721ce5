#include "proxy/worker/http2_side.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "proxy/worker/http2_stream.hpp"
#include "proxy/worker/worker.hpp"

namespace baton::proxy {

using engine::Action;
using http2::Error;

namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

// Limits what one stream does in a turn while others wait.
constexpr int passes_max = 8;

}  // namespace

Http2Side::Http2Side(Worker& worker, Connection& connection, state::ConnectionState& state,
                     std::vector<handoff::UniqueFd> upstreams)
    : worker_(worker), connection_(connection), state_(state), http2_(*state.http2()), terms_(worker.http2_terms()) {
  auto upstream = upstreams.begin();
  for (const auto& side : http2_.streams) {
    Stream& stream = *streams_.emplace_back(std::make_unique<Stream>(*this, *side));
    if (side->upstream() != nullptr && side->upstream()->stream) {
      stream.runner.upstream().adopt_stream();
    } else if (side->upstream() != nullptr) {
      stream.runner.upstream().adopt(std::move(*upstream++));
    }
    stream.runner.reconfigured();
  }
}

Http2Side::~Http2Side() = default;

void Http2Side::begin() {
  http2_.frames.idle_since_ms = http2_.frames.block_since_ms = worker_.now_ms();
  http2::begin(http2_.frames, state_.client, terms_);
}

void Http2Side::reconfigured() {
  terms_ = worker_.http2_terms();
  for (const auto& one : streams_) {
    one->runner.reconfigured();
    one->is_touched = true;
    // A connect under way may be to a server that is gone, so it is started again.
    if (one->runner.upstream().is_connecting()) one->runner.upstream().drop(false);
  }
}

// ── The streams, as the frames see them ───────────────────────────────────────────────────────────────────────────

Http2Side::Stream* Http2Side::stream(std::uint32_t id) const {
  const auto found = std::ranges::lower_bound(streams_, id, {}, [](const auto& one) { return one->id(); });
  return found != streams_.end() && (*found)->id() == id && !(*found)->is_finished ? found->get() : nullptr;
}

state::Flow* Http2Side::find(std::uint32_t id) {
  const Stream* const found = stream(id);
  return found != nullptr ? &found->flow() : nullptr;
}

state::Flow& Http2Side::begin(std::uint32_t id) {
  streams_.reserve(streams_.size() + 1);
  state::Boxed<state::ClientSide>& side = http2_.streams.emplace_back();
  side.emplace().client.stream.emplace().id = id;
  connection_.counts().streams.add();
  Stream& begun = *streams_.emplace_back(std::make_unique<Stream>(*this, *side));
  begun.runner.reconfigured();
  return begun.flow();
}

void Http2Side::note_touched(state::Flow& flow) {
  Stream* const found = stream(flow.stream->id);
  if (found == nullptr) return;
  found->is_touched = true;
  touched_again_ = true;
}

void Http2Side::touch(const ExchangeRunner& runner) {
  note_touched(runner.side().client);
}

namespace {

// Bytes at the front of the client's `unread` that were forwarded, and stay for another attempt.
std::size_t kept(const state::ClientSide& side) {
  const auto* relaying = side.exchange ? std::get_if<state::Relaying>(&side.exchange->phase) : nullptr;
  return relaying != nullptr ? relaying->held : 0;
}

}  // namespace

void Http2Side::note_sealed(const ExchangeRunner& runner) {
  const state::ClientSide& side = runner.side();
  const state::UpstreamLeg& leg = *side.upstream();
  // Of a request that is whole, only the deadline changes.
  const bool is_whole = leg.write_ended && leg.unsent.empty() && side.client.unread.size() == kept(side);
  Stream* const found = is_whole && !leg.read_ended ? stream(side.client.stream->id) : nullptr;
  if (found == nullptr) return touch(runner);
  if (!found->is_touched) set_deadline(*found);
}

void Http2Side::each(void (*visit)(state::Flow& flow, void* with), void* with) {
  for (const auto& one : streams_) visit(one->flow(), with);
}

// ── A turn ────────────────────────────────────────────────────────────────────────────────────────────────────────

std::size_t Http2Side::wanted() const {
  // Answers to frames wait there too.
  if (state_.client.read_ended || state_.client.unsent.size() >= worker_.rules().buffer_bytes) return 0;
  const std::size_t most = std::max<std::size_t>(worker_.rules().buffer_bytes, state::Buffer::block_bytes);
  return most > state_.client.unread.size() ? most - state_.client.unread.size() : 0;
}

namespace {

bool is_tunnel(const state::ClientSide& side) {
  return side.exchange && std::holds_alternative<state::Tunnelling>(side.exchange->phase);
}

// Its server may stay silent for as long as in a tunnel. So its end must not be waited for once the client has gone.
bool may_last(const state::ClientSide& side) {
  const auto* relaying = side.exchange ? std::get_if<state::Relaying>(&side.exchange->phase) : nullptr;
  if (relaying == nullptr) return false;
  const auto* relayed = std::get_if<state::ResponseRelayed>(&relaying->response);
  return side.exchange->request.is_grpc || (relayed != nullptr && relayed->may_be_quiet);
}

}  // namespace

bool Http2Side::note_client_ended() {
  bool has_some = false;
  for (const auto& one : streams_) {
    state::Flow& flow = one->flow();
    // No window will open any more. What a tunnel's server is still to get goes on.
    const bool is_stuck = !is_tunnel(one->side()) && http2::awaits_window(http2_.frames, flow);
    if (flow.read_ended && !may_last(one->side()) && !is_stuck) continue;
    if (flow.was_reset) continue;
    has_some = flow.read_ended = one->is_touched = true;
    // The server of a tunnel gets what came before, and then the end.
    if (is_tunnel(one->side())) continue;
    flow.was_reset = true;
    flow.drop_unsent();
  }
  return has_some;
}

bool Http2Side::advance(std::size_t& moved) {
  state::Frames& frames = http2_.frames;
  state::Flow& leg = state_.client;
  const std::size_t unread = leg.unread.size();
  const std::size_t unsent = leg.unsent.size();
  const std::size_t moved_before = moved;
  if (frames.has_failed) {
    leg.unread.clear();
  } else if (!leg.unread.empty()) {
    http2::Scratch& scratch = worker_.http2_scratch();
    const bool goes_on = http2::open(frames, leg, *this, terms_, worker_.now_ms(), floods_, scratch);
    if (!scratch.refusal.empty()) {
      worker_.note_http2_refusal(state_, scratch.refusal);
      connection_.counts().note_stream_reset(static_cast<std::uint32_t>(scratch.refusal_error), scratch.refusals);
    }
    if (!goes_on) {
      worker_.note_http2_failure(state_, scratch.failure);
      connection_.counts().http2_errors[static_cast<std::size_t>(scratch.error)].add();
      cut();
    }
  }
  touched_again_ = false;
  bool has_more = false;
  const std::size_t open = streams_.size();
  for (std::size_t i = 0; i < open; ++i) {
    Stream& one = *streams_[(first_ + i) % open];
    const bool can_go_on = one.is_touched || (one.waits_for_room && http2::can_seal(frames, leg, one.flow(), terms_));
    if (!one.is_finished && can_go_on && carry_on(one, moved)) has_more = true;
  }
  if (open != 0) first_ = (first_ + 1) % open;
  remove_finished();
  return_credit();
  go_away_if_due();
  return has_more || touched_again_ || moved != moved_before || leg.unread.size() != unread ||
         leg.unsent.size() != unsent;
}

bool Http2Side::carry_on(Stream& stream, std::size_t& moved) {
  const bool has_more = take_turn(stream, moved);
  if (stream.is_finished) return has_more;
  stream.waits_for_room = !stream.flow().all_sent();
  http2::return_credit(http2_.frames, state_.client, stream.flow(), kept(stream.side()));
  return has_more;
}

bool Http2Side::take_turn(Stream& stream, std::size_t& moved) {
  stream.is_touched = false;
  state::Flow& flow = stream.flow();
  if (flow.was_reset) {
    drop(stream);
    return true;
  }
  ExchangeRunner& runner = stream.runner;
  engine::Context context = connection_.context(runner);
  for (int pass = 0; pass < passes_max; ++pass) {
    Action action = Action::wait;
    const bool read = runner.can_read() && runner.read_upstream(moved, action);
    context.rules = &runner.rules();  // those of the last pass may be gone
    if (action == Action::wait && !runner.waits()) action = engine::advance_stream(stream.side(), context);
    if (!obey(stream, action, context)) return true;
    const bool wrote = runner.can_write() && runner.write_upstream(moved);
    const bool sealed = http2::seal(http2_.frames, state_.client, flow, terms_);
    if (sealed) flow.write_at_ms = worker_.now_ms();
    if (sealed && flow.unsent.empty()) floods_.note_sent();  // no window holds it back
    if (action == Action::wait && !read && !wrote && !sealed) {
      set_deadline(stream);
      return false;
    }
  }
  return stream.is_touched = true;
}

void Http2Side::obey(ExchangeRunner& runner, Action action, engine::Context& context) {
  Stream* const found = stream(runner.side().client.stream->id);
  if (found == nullptr || !obey(*found, action, context)) return;
  found->is_touched = true;
}

namespace {

// Why a stream of the client ends early: for the reason that its server has given, if there is one. `is_stalled`: the
// client does not read (RFC 9113 §7: CANCEL, since the stream is not needed any more).
Error reset_code(const state::ClientSide& side, bool is_stalled) {
  const state::UpstreamLeg* const leg = side.upstream();
  const std::uint32_t code = leg != nullptr && leg->stream && leg->was_reset ? leg->stream->reset_code : 0;
  // That nothing was processed is untrue once a response has begun.
  const bool is_true = static_cast<Error>(code) != Error::refused_stream || side.exchange->status == 0;
  if (code != 0 && is_true) return static_cast<Error>(code);
  return is_stalled ? Error::cancel : Error::internal_error;
}

}  // namespace

// As of timeouts.send.
bool Http2Side::is_stalled(Stream& stream) const {
  return !stream.flow().all_sent() && stream.flow().write_at_ms + stream.runner.rules().send_ms <= worker_.now_ms();
}

bool Http2Side::obey(Stream& stream, Action action, engine::Context& context) {
  if (action == Action::wait && !worker_.has_something_to_take()) return true;
  switch (stream.runner.obey(action, context)) {
    case Action::exchange_ended:
    case Action::exchange_ended_early:
    case Action::close:
      finish(stream, Error::cancel);
      return false;
    case Action::reset:
      finish(stream, reset_code(stream.side(), is_stalled(stream)));
      return false;
    case Action::end_client_writing:
      stream.flow().write_ended = true;
      return true;
    default:
      return true;
  }
}

// ── The end of a stream ───────────────────────────────────────────────────────────────────────────────────────────

void Http2Side::finish(Stream& stream, Error if_unfinished) {
  const state::Flow& flow = stream.flow();
  if (flow.read_ended && flow.stream->end_sent) {
    http2::note_ended(http2_.frames, flow.stream->id);
  } else {
    // Of a request that is answered, the rest is not needed (RFC 9113 §8.1).
    const Error error = flow.stream->end_sent ? Error::no_error : if_unfinished;
    http2::reset(http2_.frames, state_.client, flow, error);
    connection_.counts().note_stream_reset(static_cast<std::uint32_t>(error));
  }
  drop(stream);
}

// The client knows already that it has ended.
void Http2Side::drop(Stream& stream) {
  ExchangeRunner& runner = stream.runner;
  const state::UpstreamLeg* const leg = stream.side().upstream();
  // A tunnel whose client has gone after its end: a reset could overtake what the server is still to get.
  const bool is_left = state_.client.read_ended && is_tunnel(stream.side()) && !stream.flow().was_reset;
  const bool is_told = is_left && leg != nullptr && leg->write_ended && leg->all_sent();
  const bool with_reset = leg != nullptr && !leg->is_over() && !is_told;
  runner.upstream().drop(with_reset);
  runner.end_exchange();
  worker_.deadlines().clear(stream);
  stream.is_finished = true;
  ++finished_;
}

void Http2Side::cut() {
  for (const auto& one : streams_) {
    if (!one->is_finished) drop(*one);
  }
}

void Http2Side::remove_finished() {
  if (finished_ == 0) return;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (streams_[i]->is_finished) {
      worker_.loop().dispose(std::move(streams_[i]));
      continue;
    }
    if (kept != i) {
      streams_[kept] = std::move(streams_[i]);
      http2_.streams[kept] = std::move(http2_.streams[i]);
    }
    ++kept;
  }
  streams_.resize(kept);
  http2_.streams.resize(kept);
  finished_ = 0;
  if (kept == 0) http2_.frames.idle_since_ms = worker_.now_ms();
}

// ── The connection ────────────────────────────────────────────────────────────────────────────────────────────────

void Http2Side::return_credit() {
  state::Frames& frames = http2_.frames;
  const bool is_due = frames.receive_window <= terms_.connection_window / 2;
  if (!is_due || !frames.preface_came || frames.has_failed) return;
  std::uint64_t held = 0;
  for (const auto& one : streams_) held += one->flow().unread.size() - kept(one->side());
  http2::return_credit(frames, state_.client, held, terms_);
}

void Http2Side::go_away() {
  state::Frames& frames = http2_.frames;
  if (!frames.goaway_sent) http2::go_away(frames, state_.client);
  // A header block that is too late is not waited for.
  frames.has_failed = frames.has_failed || frames.block_stream != 0 || !frames.preface_came;
}

void Http2Side::go_away_if_due() {
  state::Frames& frames = http2_.frames;
  if (frames.goaway_sent || !frames.preface_came) return;
  const std::uint64_t most = worker_.rules().requests_per_connection;
  const bool is_used_up = most != 0 && frames.requests >= most;
  const bool is_last = worker_.stopping() || connection_.stays() || connection_.is_without_listener();
  if (is_last || is_used_up) http2::go_away(frames, state_.client);
}

bool Http2Side::is_over() const {
  const state::Frames& frames = http2_.frames;
  return streams_.empty() && (frames.goaway_sent || frames.has_failed || state_.client.read_ended);
}

std::int64_t Http2Side::deadline_ms() const {
  const state::Frames& frames = http2_.frames;
  const state::Flow& leg = state_.client;
  const engine::Rules& rules = worker_.rules();
  if (is_over()) return std::max(leg.write_at_ms, frames.idle_since_ms) + http1::linger_quiet_ms;
  std::int64_t at = never;
  if (!leg.all_sent()) at = leg.write_at_ms + rules.send_ms;
  if (!frames.preface_came || frames.block_stream != 0) at = std::min(at, frames.block_since_ms + rules.head_ms);
  if (streams_.empty()) at = std::min(at, frames.idle_since_ms + rules.idle_ms);
  return at;
}

void Http2Side::set_deadline(Stream& stream) {
  ExchangeRunner& runner = stream.runner;
  const std::int64_t at = engine::stream_deadline_ms(stream.side(), runner.rules());
  worker_.deadlines().set(stream, std::min(at, runner.upstream().deadline_ms()));
}

void Http2Side::on_deadline(Stream& stream) {
  // While other streams have used up the connection's window, it is not the client's turn.
  state::Flow& flow = stream.flow();
  const bool is_shut = http2_.frames.receive_window <= 0 && !flow.read_ended;
  if (is_shut) {
    flow.read_at_ms = worker_.now_ms();
    const std::int64_t at = engine::stream_deadline_ms(stream.side(), stream.runner.rules());
    if (std::min(at, stream.runner.upstream().deadline_ms()) > worker_.now_ms()) return set_deadline(stream);
  }
  stream.is_touched = true;
  connection_.go_on(stream.runner, [&](engine::Context& context) { return stream.runner.expire(context); });
}

}  // namespace baton::proxy
