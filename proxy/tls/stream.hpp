// A connected socket and, for a leg that speaks TLS, what stands between it and the leg's plain bytes. To whoever runs
// the leg both are the same: it receives into `unread` and sends from `unsent`.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proxy/runtime/socket.hpp"
#include "proxy/state/state.hpp"
#include "proxy/tls/handshake.hpp"
#include "proxy/tls/record_layer.hpp"

namespace baton::tls {

class Stream final : public runtime::Disposable {
 public:
  Stream(runtime::Loop& loop, handoff::UniqueFd fd, runtime::SocketOwner& owner)
      : socket_(loop, std::move(fd), owner) {}

  runtime::Socket& socket() { return socket_; }
  const runtime::Socket& socket() const { return socket_; }

  // ── The handshake, while the leg's stage is hello or handshake ────────────────────────────────────────────────────
  enum class Shake { waiting, done, failed };
  // As a client: before the first `shake`.
  void connect(SslPtr ssl, SSL_SESSION* session, SessionSink* sessions);
  // Who takes the sessions that its server still sends; nobody: nullptr.
  void set_sessions(SessionSink* sessions) {
    if (handshake_) handshake_->set_sessions(sessions);
  }
  // Reads, feeds and writes as far as it goes. `context` is for a server's leg.
  Shake shake(state::Leg& leg, SSL_CTX* context);
  // Why it, or receiving, failed; empty: not for a reason of TLS.
  std::string_view failure() const { return failure_ ? std::string_view(*failure_) : std::string_view(); }

  // ── Plain bytes ───────────────────────────────────────────────────────────────────────────────────────────────────
  bool readable(const state::Leg& leg) const { return socket_.readable() || (unopened_ && leg.tls); }
  // Adds to `unread` what one read gives, about `bytes`; nothing yet, and `done`, if that was a part of a record. An end is
  // `done` with `read_ended` set, where TLS told of it; one after a reset that sending has found is `failed`.
  runtime::Io receive(state::Leg& leg, std::size_t bytes);
  bool has_to_send(const state::Leg& leg) const { return leg.tls ? has_to_seal_or_send(leg) : !leg.unsent.empty(); }
  runtime::Io send(state::Leg& leg, std::int64_t now_ms);
  // Ends the sending direction; with TLS when all that waits is sent, close_notify first.
  void end_writing(state::Leg& leg);
  // Says close_notify if that can be said at once. Closing is the caller's.
  void say_goodbye(state::Leg& leg) noexcept;
  // Nothing has come on an idle leg but what means nothing to its user (tickets, for example).
  bool is_quiet(state::Leg& leg, std::int64_t now_ms) noexcept;

  // ── Freezing ──────────────────────────────────────────────────────────────────────────────────────────────────────
  // Leaves the loop, and forgets the ciphers: nothing can be sealed or opened before `watch`. The leg's stage is hello or
  // records.
  void freeze();
  bool watch();

 private:
  bool has_to_seal_or_send(const state::Leg& leg) const;
  void must_not_be_frozen() const;
  RecordLayer& records(const state::Leg& leg);
  Opened open(state::Leg& leg, std::size_t bytes);
  void flush(state::Leg& leg);
  runtime::Io noting_reset(state::Leg& leg, runtime::Io sent) const;
  bool look_for_quiet(state::Leg& leg, std::int64_t now_ms);
  static runtime::Io as_it_ended(const state::Leg& leg, runtime::Io received);

  runtime::Socket socket_;
  std::unique_ptr<Handshake> handshake_;    // while it goes on; of a client until its first data; of a kept leg always
  std::unique_ptr<RecordLayer> records_;    // made from the state when it is needed
  bool frozen_ = false;
  bool unopened_ = true;                    // there may be a whole record in `received`
  state::Boxed<std::string> failure_;
};

}  // namespace baton::tls
