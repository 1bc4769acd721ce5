// One client connection: its state, its sockets, and the loop that reads, lets the engine advance, and writes. The
// state is consistent between any two events, so freezing just means leaving the loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/engine/engine.hpp"
#include "proxy/metrics/tally.hpp"
#include "proxy/rates/occupancy.hpp"
#include "proxy/runtime/deadlines.hpp"
#include "proxy/runtime/socket.hpp"
#include "proxy/state/codec.hpp"
#include "proxy/state/state.hpp"
#include "proxy/tls/server_context.hpp"
#include "proxy/tls/stream.hpp"
#include "proxy/worker/carriers.hpp"
#include "proxy/worker/exchange_runner.hpp"
#include "proxy/worker/http2_side.hpp"

namespace baton::proxy {

struct ListenerRules;
class Worker;

// It is allocated where its state allocates: the state is a part of it.
class Connection final : public runtime::EventHandler,
                         public runtime::SocketOwner,
                         public runtime::DeadlineEntry,
                         public state::Allocated {
 public:
  // `upstreams` are the sockets of the state's legs to servers. Touches no socket yet.
  Connection(Worker& worker, state::ConnectionState state, handoff::UniqueFd client,
             std::vector<handoff::UniqueFd> upstreams = {});

  // Registers the sockets; false: the kernel has no room. Nothing is read before `run`.
  bool watch();
  // Reads, advances and writes until there is nothing to do; this may close and dispose of the connection. Nothing it
  // calls throws: a failure for lack of memory ends only this connection, with a reset.
  void run();

  // Stops touching the sockets; the state is consistent and can be encoded. An unfinished connect is abandoned.
  void freeze();
  bool frozen() const { return frozen_; }
  // Refused by a successor: served here until it ends.
  bool stays() const { return stays_; }
  // Continues from the current state.
  void resume();

  // The configuration has changed: the connection finishes what it began and looks up its place again.
  void reconfigured();
  // Tells a client of HTTP/2 that no further request is served, which it can be told at any time.
  void announce_end();
  // Ends it unless a request has begun or waits unread in the socket.
  void end_if_idle();
  // Ends it now: `end` cleanly, `cut` with a reset. A leg to a server that has not ended is reset in both cases.
  void end() { close(false); }
  // Its own handshake with the client is not over.
  bool shakes_hands() const { return state_.client.tls && is_in_handshake(); }
  void cut() {
    note_ending(state::Ending::stopped);
    close(true);
  }
  // Another process owns the connection now: closes our descriptors without ending it.
  void let_go();
  // Another process may hold copies of the descriptors.
  void note_shared();

  const state::ConnectionState& state() const { return state_; }
  void renew_id(std::uint64_t id) { state_.id = id; }
  int client_descriptor() const { return client_.socket().descriptor(); }

  // Where a connection freezes first: between two requests, within a ClientHello, or at any time in a tunnel.
  bool at_boundary() const;
  // It has not been read yet.
  bool is_new() const;
  bool is_movable() const { return state::is_movable(state_); }
  // The other side is a trusted proxy, which stands for many clients.
  bool is_trusted() const { return is_trusted_; }
  bool is_kept() const { return state::is_kept(state_); }
  std::int64_t frozen_at_us() const { return frozen_at_us_; }
  // It was prepared for a predecessor that keeps it.
  void was_never_ours();

  void on_ready(runtime::Socket& socket) override;
  void on_events(std::uint32_t events) override;
  void on_deadline() override;

  // ── For its runners ───────────────────────────────────────────────────────────────────────────────────────────
  runtime::Socket& client_socket() { return client_.socket(); }
  // The client's identity, as forwarded.
  std::string_view client_text() const { return client_text_; }
  bool is_without_listener() const { return listener_ == nullptr; }
  const ListenerRules* listener() const { return listener_; }
  metrics::ListenerCounts& counts() const { return *counts_; }
  engine::Context context(ExchangeRunner& runner);
  engine::Action advance(state::ClientSide& side, const engine::Context& context);
  engine::Action expire(state::ClientSide& side, const engine::Context& context);
  // Its carriers; made when first needed.
  Carriers& carriers();
  // The exchange can go on in this turn, or the next.
  void touch(const ExchangeRunner& runner) {
    if (http2_) http2_->touch(runner);
  }
  // The same for one whose request has been put into a frame, as far as it was there.
  void note_sealed(const ExchangeRunner& runner) {
    if (http2_) http2_->note_sealed(runner);
  }
  // Something has happened to a carrier: takes a turn, unless it will have one.
  void go_on();
  // Something has happened to the exchange: takes a turn, unless it will have one. `step` comes first and returns the
  // engine's next wish.
  void go_on(ExchangeRunner& runner);
  void go_on(ExchangeRunner& runner, const std::function<engine::Action(engine::Context&)>& step);

 private:
  friend class Worker;            // links the worker's list

  // Limits of a turn: its passes, and roughly the bytes it reads and writes.
  static constexpr int passes_max = 32;
  static constexpr std::size_t turn_bytes_max = 64 * 1024;

  template <class Step>
  void guarded(Step step) noexcept;
  engine::Context make_context(ExchangeRunner& runner);
  void take_turn();
  void turn();
  void take_turn_of_http2();
  // Whether the client begins with HTTP/2's preface. False: what came is too short to know, or HTTP/2 has begun.
  bool begins_with_http1();
  void begin_http2();
  void expire_http2();
  void receive_for_http2();
  void ask_for_another_turn();
  bool is_arriving() const { return std::holds_alternative<state::Arriving>(state_.protocol); }
  // Reads on in what comes before the connection's own protocol. True: that begins.
  bool arrive();
  // The same, as far as the PROXY header goes. False: it is not whole, or the connection is closed.
  bool pass_header();
  // True: nothing has come, nothing must come, and perhaps the client only waits for us. Else it may be closed.
  bool arrives_without_a_byte();
  // Chooses the route of a tcp listener by what the ClientHello names. False: the client has no access, and the
  // connection is closed.
  bool admit_arrival(std::string_view server_name, const std::vector<std::string>& alpn);
  bool deny_arrival();
  // `upstream`: of a tunnel.
  void begin_protocol(std::string_view upstream);
  // Reads at most so many bytes. False: nothing has come, or the connection is closed.
  bool receive_arrival(std::size_t bytes);
  bool refuse_arrival(std::string_view why);
  bool end_arrival(std::string_view why);
  bool refuse_for_client();
  bool is_in_handshake() const;
  // Continues the client's handshake. True: it is complete, and the connection can be served.
  bool shake_hands();
  void look_up_place();
  // Those of its listener, also if that is gone.
  const routing::TrustedProxies& trusted_proxies() const;
  // Counts it for its client, if clients are counted and it has not been. True: its client has more than it may have, in
  // this process alone if `only_here`.
  bool count_for_client(bool only_here = false);
  // True: there was progress. Both count the bytes they moved in `turn_bytes_`.
  bool read_legs();
  bool can_move() const;
  bool read_client();
  bool write_legs();
  bool can_write_client() const { return client_.has_to_send(state_.client) && client_.socket().writable(); }
  bool write_client();
  bool is_delivering();
  // False: the connection is closed or frozen. `context` is that of the whole turn.
  bool obey(engine::Action action, engine::Context& context);
  bool obey(engine::Action action);
  bool shows_certificate_for(std::string_view host) const;
  bool end_exchange();
  void note_ending(state::Ending ending);
  void count_reset();
  void close(bool with_reset);
  // TLS has failed, in the handshake or later.
  void note_tls_failure();
  void note_handshake();
  void set_deadline();

  Worker& worker_;                // outlives its connections
  state::ConnectionState state_;
  std::string client_text_;       // the client's identity, as forwarded
  const ListenerRules* listener_ = nullptr;  // none: not in this configuration, and the next response is the last
  metrics::ListenerCounts* counts_ = nullptr;  // of its listener, in this configuration
  rates::Place place_;                       // among those of its client
  tls::Stream client_;
  std::shared_ptr<const tls::ServerContext> server_context_;   // during the client's handshake
  ExchangeRunner runner_;                // of its exchange
  std::unique_ptr<Carriers> carriers_;   // nullptr: no server of HTTP/2 was needed yet
  std::unique_ptr<Http2Side> http2_;     // nullptr: another protocol
  std::size_t turn_bytes_ = 0;           // read and written in this turn
  std::int64_t frozen_at_us_ = 0;
  bool is_trusted_ = false;  // what the client says of others' addresses is believed
  bool is_reset_by_client_ = false;
  bool stays_ = false;
  bool listed_ = false;           // in the worker's list
  bool may_begin_http2_ = false;  // its first bytes will tell
  bool looks_again_ = false;      // to be reset once everything is delivered
  bool frozen_ = true;            // until `run`
  bool closed_ = false;
  state::Ending ending_ = state::Ending::done;  // of all that it has, if `note_ending` says so
  bool awaits_turn_ = false;      // its turn is used up; the loop will call it again

  Connection* previous_ = nullptr;   // in the worker's list
  Connection* next_ = nullptr;
};

}  // namespace baton::proxy
