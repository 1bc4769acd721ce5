#include "proxy/tls/stream.hpp"

#include <cstdio>
#include <cstdlib>
#include <new>

namespace baton::tls {

using runtime::Io;
using state::TlsEnd;
using state::TlsStage;

namespace {

// Room that is made before reading, so that records do not arrive in tiny pieces.
constexpr std::size_t room_least = 4096;
constexpr std::size_t read_most = state::Buffer::block_bytes;

}  // namespace

// ── The handshake ─────────────────────────────────────────────────────────────────────────────────────────────────

void Stream::connect(SslPtr ssl, SSL_SESSION* session, SessionSink* sessions) {
  handshake_ = std::make_unique<Handshake>(std::move(ssl));
  if (session != nullptr) handshake_->resume(session);
  handshake_->set_sessions(sessions);
}

Stream::Shake Stream::shake(state::Leg& leg, SSL_CTX* context) {
  must_not_be_frozen();
  state::Tls& tls = *leg.tls;
  for (;;) {
    if (!handshake_ && !tls.received.empty() && Handshake::is_hello_whole(tls.received.view())) {
      handshake_ = std::make_unique<Handshake>(SslPtr(SSL_new(context)));
      tls.stage = TlsStage::handshake;        // even before its first record is complete: it is bound to this context
    }
    if (handshake_) {
      const Handshake::Progress progress = handshake_->advance(tls);
      flush(leg);
      if (progress == Handshake::Progress::failed) {
        failure_ = handshake_->failure();
        failure_kind_ = handshake_->failure_kind();
      }
      if (progress == Handshake::Progress::done && tls.stage == TlsStage::records && !tls.is_client) handshake_.reset();
      if (progress != Handshake::Progress::waiting) {
        return progress == Handshake::Progress::done ? Shake::done : Shake::failed;
      }
    }
    if (!socket_.readable()) return Shake::waiting;
    tls.received.prepare(room_least);
    switch (socket_.receive(tls.received, read_most)) {
      case Io::done:
        break;
      case Io::would_block:
        return Shake::waiting;
      case Io::ended:
      case Io::failed:
        failure_ = std::string("the other side has closed the connection");
        failure_kind_ = FailureKind::closed;
        return Shake::failed;
    }
  }
}

// ── Plain bytes ───────────────────────────────────────────────────────────────────────────────────────────────────

// Another process may be using these keys, and a nonce would be used twice. So this is not an assertion, which a build
// could leave out.
void Stream::must_not_be_frozen() const {
  if (!frozen_) return;
  std::fputs("a frozen TLS leg is being used\n", stderr);
  std::abort();
}

RecordLayer& Stream::records(const state::Leg& leg) {
  must_not_be_frozen();
  if (!records_) {
    records_ = RecordLayer::make(*leg.tls);
    if (handshake_) records_->set_early_records(handshake_.get());
  }
  return *records_;
}

Opened Stream::open(state::Leg& leg, std::size_t bytes) {
  if (leg.tls->stage == TlsStage::kept) {
    const Opened opened = handshake_->open(leg, bytes);
    if (opened == Opened::failed) failure_ = handshake_->failure();
    return opened;
  }
  const Opened opened = records(leg).open(leg, bytes);
  if (opened == Opened::failed) {
    failure_ = std::string(records_->failure());
    failure_kind_ = leg.tls->alert == 0 ? FailureKind::alert : FailureKind::protocol;  // theirs, or ours
  }
  if (handshake_ && handshake_->is_over()) handshake_.reset();
  return opened;
}

Io Stream::receive(state::Leg& leg, std::size_t bytes) {
  if (!leg.tls) return as_it_ended(leg, socket_.receive(leg.unread, bytes));
  state::Tls& tls = *leg.tls;
  for (bool has_come = false;; has_come = true) {
    if (unopened_) {
      const Opened opened = open(leg, bytes);
      unopened_ = opened == Opened::some && !tls.received.empty();
      if (opened == Opened::some) return Io::done;
      if (opened == Opened::failed) {
        if (tls.stage == TlsStage::records) records(leg).seal(leg, 0);
        flush(leg);                  // the alert, as much as can be sent at once
        return Io::failed;
      }
    }
    // Part of a record yields no plain bytes yet but counts as progress: a slow link needs time for a full record.
    const Io nothing_new = has_come ? Io::done : Io::would_block;
    if (!socket_.readable()) return nothing_new;
    tls.received.prepare(room_least);
    const Io io = socket_.receive(tls.received, read_most);
    if (io != Io::done) return io == Io::would_block ? nothing_new : as_it_ended(leg, io);
    unopened_ = true;
  }
}

bool Stream::has_to_seal_or_send(const state::Leg& leg) const {
  const state::Tls& tls = *leg.tls;
  if (tls.stage != TlsStage::records && tls.stage != TlsStage::kept) return false;
  const bool owes = tls.key_update_owed || tls.no_renegotiation_owed || (leg.write_ended && tls.end != TlsEnd::shut);
  return !leg.unsent.empty() || !tls.sealed.empty() || owes;
}

Io Stream::send(state::Leg& leg, std::int64_t now_ms) {
  if (!leg.tls) return noting_reset(leg, socket_.send(leg.unsent));
  state::Tls& tls = *leg.tls;
  bool progress = false;
  for (std::size_t sent = 0; sent < runtime::Socket::io_bytes_max;) {
    const bool sealed = tls.stage == TlsStage::kept ? handshake_->seal(leg)
                                                    : records(leg).seal(leg, now_ms - tls.sealed_at_ms);
    if (sealed) {
      tls.sealed_at_ms = now_ms;
      progress = true;
    }
    if (tls.sealed.empty()) {
      if (leg.write_ended && tls.end == TlsEnd::notified) {
        socket_.end_writing();
        tls.end = TlsEnd::shut;
        progress = true;
      }
      return progress ? Io::done : Io::would_block;
    }
    if (!socket_.writable()) return progress ? Io::done : Io::would_block;
    const std::size_t waiting = tls.sealed.size();
    const Io io = noting_reset(leg, socket_.send(tls.sealed));
    if (io == Io::failed) return io;
    progress = progress || io == Io::done;
    sent += waiting - tls.sealed.size();
  }
  return Io::done;
}

// The kernel reports a reset once, so the leg remembers it for the process that reads the rest. A direction that ended
// cleanly before the reset is complete, and remains so.
Io Stream::noting_reset(state::Leg& leg, Io sent) const {
  if (sent == Io::failed) leg.was_reset = leg.was_reset || (socket_.was_reset() && !leg.read_ended);
  return sent;
}

Io Stream::as_it_ended(const state::Leg& leg, Io received) {
  return received == Io::ended && leg.was_reset ? Io::failed : received;
}

void Stream::flush(state::Leg& leg) {
  state::Buffer& sealed = leg.tls->sealed;
  while (!sealed.empty() && socket_.writable() && noting_reset(leg, socket_.send(sealed)) == Io::done) {
  }
}

void Stream::end_writing(state::Leg& leg) {
  leg.write_ended = true;
  if (!leg.tls) socket_.end_writing();
}

void Stream::say_goodbye(state::Leg& leg) noexcept {
  if (!leg.tls || !socket_.is_open() || frozen_ || leg.tls->alert != 0 || !leg.unsent.empty()) return;
  if (leg.tls->stage != TlsStage::records && leg.tls->stage != TlsStage::kept) return;
  leg.write_ended = true;
  try {
    (void)send(leg, leg.tls->sealed_at_ms);
  } catch (const std::bad_alloc&) {
    // The connection still ends, only without close_notify.
  }
}

bool Stream::is_quiet(state::Leg& leg, std::int64_t now_ms) noexcept {
  if (!leg.tls) return socket_.is_quiet();
  try {
    return look_for_quiet(leg, now_ms);
  } catch (const std::bad_alloc&) {
    return false;                         // the connection cannot be used
  }
}

bool Stream::look_for_quiet(state::Leg& leg, std::int64_t now_ms) {
  while (readable(leg)) {
    const Io io = receive(leg, 1);
    if (io == Io::would_block) break;
    if (io != Io::done || leg.read_ended || !leg.unread.empty()) return false;
  }
  if (has_to_send(leg)) (void)send(leg, now_ms);
  return leg.tls->sealed.empty();
}

// ── Freezing ──────────────────────────────────────────────────────────────────────────────────────────────────────

void Stream::freeze() {
  socket_.unwatch();
  records_.reset();
  handshake_.reset();
  frozen_ = true;
}

bool Stream::watch() {
  frozen_ = false;
  unopened_ = true;
  return socket_.watch();
}

}  // namespace baton::tls
