// A connection that speaks HTTP/2.
#include "proxy/worker/connection.hpp"
#include "proxy/worker/worker.hpp"

namespace baton::proxy {

using runtime::Io;

bool Connection::begins_with_http1() {
  const std::string_view came = state_.client.unread.view().substr(0, http2::preface.size());
  if (came.empty()) return true;  // which waits for more
  may_begin_http2_ = http2::preface.starts_with(came) && !state_.client.read_ended;
  if (!may_begin_http2_) return true;
  if (came.size() == http2::preface.size()) begin_http2();
  return false;
}

void Connection::begin_http2() {
  may_begin_http2_ = false;
  state_.protocol = state::Boxed<state::Http2>(state::Http2{});
  http2_ = std::make_unique<Http2Side>(worker_, *this, state_, std::vector<handoff::UniqueFd>());
  http2_->begin();
}

void Connection::take_turn_of_http2() {
  turn_bytes_ = 0;
  worker_.begin_turn();
  for (int pass = 0;; ++pass) {
    if (pass == passes_max || turn_bytes_ >= turn_bytes_max) {
      ask_for_another_turn();
      break;
    }
    const std::size_t before = turn_bytes_;
    if (client_.readable(state_.client)) receive_for_http2();
    if (closed_) return;
    const bool had_streams = !state_.http2()->streams.empty();
    bool moved = carriers_ && carriers_->read(turn_bytes_);
    moved = http2_->advance(turn_bytes_) || moved;
    moved = (carriers_ && carriers_->write(turn_bytes_)) || moved;
    if (state_.client.read_ended && http2_->note_client_ended()) moved = true;
    if (had_streams && worker_.boundary(*this)) return;
    const bool wrote = can_write_client() && write_client();
    if (closed_) return;
    if (http2_->is_over() && state_.client.all_sent()) {
      if (state_.client.read_ended) return close(false);
      if (!state_.client.write_ended) client_.end_writing(state_.client);
    }
    if (!moved && !wrote && turn_bytes_ == before) break;
  }
  set_deadline();
}

void Connection::receive_for_http2() {
  state::Leg& leg = state_.client;
  const std::size_t bytes = http2_->wanted();
  if (bytes == 0) {
    if (client_.socket().broken() && !leg.read_ended) close(true);
    return;
  }
  const std::size_t before = leg.unread.size();
  switch (client_.receive(leg, bytes)) {
    case Io::done:
      leg.read_at_ms = worker_.now_ms();
      turn_bytes_ += leg.unread.size() - before;
      counts_->received.add(leg.unread.size() - before);
      return;
    case Io::ended:
      leg.read_ended = true;
      ++turn_bytes_;
      return;
    case Io::failed:
      is_reset_by_client_ = client_.failure().empty();
      if (!is_reset_by_client_) note_tls_failure();
      return close(client_.failure().empty());  // not by a reset, which could overtake the alert
    case Io::would_block:
      return;
  }
}

void Connection::expire_http2() {
  const state::Frames& frames = state_.http2()->frames;
  const bool is_late = http2_->is_over() || !state_.client.all_sent() || frames.has_failed;
  if (is_late) return close(!state_.client.all_sent());
  // Idle, or half a header block.
  http2_->go_away();
  take_turn();
}

}  // namespace baton::proxy
