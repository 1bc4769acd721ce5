// A connected socket and, for a leg with TLS, the layer between it and the leg's plain bytes. Both look the same to the
// user of the leg, who receives into `unread` and sends from `unsent`.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proxy/runtime/socket.hpp"
#include "proxy/state/state.hpp"
#include "proxy/tls/failure_kind.hpp"
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
  // As a client: call before the first `shake`.
  void connect(SslPtr ssl, SSL_SESSION* session, SessionSink* sessions);
  // Sets the sink for sessions that its server still sends; nullptr: they are dropped.
  void set_sessions(SessionSink* sessions) {
    if (handshake_) handshake_->set_sessions(sessions);
  }
  // Reads, feeds and writes as far as possible. `context` is for a server's leg.
  Shake shake(state::Leg& leg, SSL_CTX* context);
  // Why the handshake, or receiving, failed; empty: not because of TLS.
  std::string_view failure() const { return failure_ ? std::string_view(*failure_) : std::string_view(); }
  FailureKind failure_kind() const { return failure_kind_; }

  // ── Plain bytes ───────────────────────────────────────────────────────────────────────────────────────────────────
  bool readable(const state::Leg& leg) const { return socket_.readable() || (unopened_ && leg.tls); }
  // Appends the bytes of one read to `unread`, about `bytes`; `done` with nothing appended means that only part of a
  // record came. EOF is `done` with `read_ended` set if TLS announced it; EOF after a reset found while sending is
  // `failed`.
  runtime::Io receive(state::Leg& leg, std::size_t bytes);
  bool has_to_send(const state::Leg& leg) const { return leg.tls ? has_to_seal_or_send(leg) : !leg.unsent.empty(); }
  runtime::Io send(state::Leg& leg, std::int64_t now_ms);
  // Ends the sending direction; with TLS once everything queued is sent, close_notify first.
  void end_writing(state::Leg& leg);
  // Sends close_notify if that is possible at once. The caller closes.
  void say_goodbye(state::Leg& leg) noexcept;
  // Whether an idle leg has received nothing that matters to its user (tickets, for example, do not).
  bool is_quiet(state::Leg& leg, std::int64_t now_ms) noexcept;

  // ── Freezing ──────────────────────────────────────────────────────────────────────────────────────────────────────
  // Leaves the loop and discards the ciphers: nothing can be sealed or opened before `watch`. The leg's stage is hello
  // or records.
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
  std::unique_ptr<Handshake> handshake_;    // during it; for a client until its first data; for a kept leg always
  std::unique_ptr<RecordLayer> records_;    // made from the state when needed
  FailureKind failure_kind_ = FailureKind::protocol;
  bool frozen_ = false;
  bool unopened_ = true;                    // `received` may hold a whole record
  state::Boxed<std::string> failure_;
};

}  // namespace baton::tls
