// The upstream side of one exchange: finds a server, connects, does the handshake, and then holds the socket of the
// exchange's upstream leg. A connect or handshake under way is not part of the state: a successor starts it again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "proxy/engine/action.hpp"
#include "proxy/routing/route_table.hpp"
#include "proxy/runtime/socket.hpp"
#include "proxy/state/state.hpp"
#include "proxy/tls/stream.hpp"
#include "proxy/upstream/pool.hpp"

namespace baton::proxy {

class Carrier;
class ExchangeRunner;
class Worker;

class UpstreamSide {
 public:
  // The owner receives the sockets' events; both outlive this.
  UpstreamSide(Worker& worker, ExchangeRunner& owner) : worker_(worker), owner_(owner) {}

  // Continues with the socket of the exchange's existing leg, or with its stream.
  void adopt(handoff::UniqueFd socket);
  void adopt_stream();
  // It will need a socket, but is not looking for a server yet.
  void promise();
  // Its exchange goes on in another process, or was never ours.
  void let_go() { use(nullptr); }
  // The server has begun to answer the request, so long after it was sent.
  void note_answered(std::uint16_t status, std::int64_t elapsed_ms);
  // The server has not answered the request that was sent to it, or only in part.
  void note_failed(std::string_view why) {
    if (server_ != nullptr) ++server_->counts.failures;
    note_unwell(why);
  }
  // The exchange has ended.
  void note_ended(state::Ending ending) {
    if (ending == state::Ending::server_gone && upstream_ != nullptr) upstream_->counts.resets.add();
  }
  // The server has failed: for `health.passive`.
  void note_unwell(std::string_view why);
  // The configuration has changed. `leg`: the exchange's, if it has one.
  void reconfigured(const state::UpstreamLeg* leg);
  routing::RetryBudget* retry_budget() const { return upstream_ != nullptr ? &upstream_->retry_budget() : nullptr; }
  unsigned servers() const {
    if (upstream_ == nullptr) return 0;
    return upstream_->is_single() ? 1 : count_servers();
  }

  // The progress of an attempt to reach a server.
  enum class Progress {
    waiting,
    connected,    // the exchange has its upstream leg
    unavailable,  // this and the next ones: as in `engine::Loss`
    unreachable,
    failed,
    timed_out,
  };
  // What is to be sent, and by which route (nullptr: it is a tunnel of a tcp listener).
  struct Asking {
    state::ClientSide& state;
    const routing::Route* route;
  };
  // Chooses a server, and takes an idle connection, unless the exchange wants a fresh one, or starts to connect.
  Progress connect(const Asking& of);
  // The socket being connected has an event.
  Progress go_on(state::Exchange& exchange);
  // It waited for a server, and has a place there.
  Progress take(upstream::Place place, const Asking& of);
  // The attempt's deadline has come.
  Progress expire(const Asking& of);

  bool is_connecting() const {
    return is<Queued>() || is<AwaitingDescriptor>() || is<Following>() || is<Connecting>() || is<Handshaking>() ||
           is<Greeting>();
  }
  // Another exchange of its connection has connected to the server, or will not: it is to be asked to connect again.
  void stop_following(bool is_connected) {
    stands_ = Nothing{};
    keeps_place_ = is_connected;
    if (is_connected) following_until_ms_ = 0;  // the next one's turn has not come yet
  }
  // The attempt's deadline; INT64_MAX: there is no attempt.
  std::int64_t deadline_ms() const;
  bool owns(const runtime::Socket& socket) const { return stream() != nullptr && &stream()->socket() == &socket; }

  // The connection of the exchange's leg; nullptr: it has no leg, or a stream of a carrier.
  tls::Stream* connected() const {
    const auto* connected = std::get_if<Connected>(&stands_);
    return connected != nullptr ? connected->stream.get() : nullptr;
  }

  // Returns the leg to the pool, or closes it cleanly if it cannot be used again. A stream ends.
  void park(state::Boxed<state::UpstreamLeg> leg);
  // Cleanly, or with a reset if the server must not take a part for the whole. `drop`: the exchange still has its leg.
  void close(state::UpstreamLeg& leg);
  void drop(bool with_reset);
  // Ends an attempt to connect that is not late itself.
  void give_up(std::string_view why);

 private:
  struct Nothing {};
  struct Promised {
    explicit Promised(runtime::Loop& loop) : socket(loop) {}
    runtime::Loop::Promise socket;
  };
  // All descriptors are in use, which is not the server's fault.
  struct AwaitingDescriptor {
    std::int64_t until_ms = 0;               // after that there is no server
    std::int64_t again_ms = 0;
  };
  // Each server has its max_connections.
  class Turn;
  struct Queued {
    Queued(std::shared_ptr<Turn> its_turn, std::int64_t until_ms) : turn(std::move(its_turn)), deadline_ms(until_ms) {}
    Queued(Queued&&) = delete;
    ~Queued();
    std::shared_ptr<Turn> turn;
    std::int64_t deadline_ms;
  };
  // Another exchange of the same client's connection is connecting to the server; what comes of it may carry both.
  struct Following {
    std::int64_t deadline_ms = 0;
  };
  using Leg = state::Boxed<state::UpstreamLeg>;
  struct Connecting {
    std::unique_ptr<tls::Stream> stream;
    Leg leg;
    std::int64_t deadline_ms = 0;
  };
  struct Handshaking {
    std::unique_ptr<tls::Stream> stream;
    Leg leg;
    std::int64_t deadline_ms = 0;
  };
  // The server's SETTINGS must come: before them nothing is sent on it (RFC 8441 §3 forbids it for WebSockets, and the
  // server's limits would have to be guessed).
  struct Greeting {
    std::unique_ptr<tls::Stream> stream;
    Leg leg;
    std::int64_t deadline_ms = 0;
  };
  struct Connected {
    std::unique_ptr<tls::Stream> stream;
  };
  // The leg is a stream.
  struct Carried {};

  template <class Stand>
  bool is() const {
    return std::holds_alternative<Stand>(stands_);
  }
  unsigned count_servers() const;
  void note_well();
  std::uint64_t client_hash() const;
  tls::Stream* stream() const;
  // The exchange is with this server from now on; nullptr: with none.
  void use(upstream::Server* server);
  // Chooses a server and is with it, or waits for one.
  Progress choose(const Asking& of);
  upstream::Affinity affinity(const Asking& of);
  Progress enter_queue(state::Exchange& exchange, const upstream::Server* only);
  // The exchange is counted with it already.
  Progress with(upstream::Server& server, std::uint64_t sticky, const Asking& of);
  Progress reach(upstream::Server& server, const Asking& of);
  // Its wait in a queue is over.
  void note_queued(state::Exchange& exchange) const;
  // For the access log.
  void note_server(state::Exchange& exchange, const upstream::Server& server) const;
  Progress connect_to(upstream::Server& server, state::Exchange& exchange, const routing::Route* route);
  Progress await_descriptor(std::int64_t connect_ms);
  // Whether the request is to be sent in HTTP/2, if the server speaks it.
  bool may_be_carried(const state::Exchange& exchange) const {
    return upstream_->protocol() != config::ServerProtocol::http1 && may_be_carried_now(exchange);
  }
  bool may_be_carried_now(const state::Exchange& exchange) const;
  // True: it waits for another exchange that is connecting. Else others may follow it.
  bool follows(upstream::Server& server, std::int64_t connect_ms);
  Progress established(std::unique_ptr<tls::Stream> stream, Leg leg, state::Exchange& exchange);
  Progress shake(state::Exchange& exchange);
  Progress begin_http2(std::unique_ptr<tls::Stream> stream, Leg leg, state::Exchange& exchange);
  Progress greet(state::Exchange& exchange);
  Progress expire_greeting();
  bool has_another_server(const state::Exchange& exchange) const;
  Progress join(Carrier& carrier, state::Exchange& exchange);
  void forget_server();
  void end_lead(bool is_connected = false) {
    if (std::exchange(leads_, false)) pass_lead(is_connected);
  }
  void pass_lead(bool is_connected);
  void leave(const state::UpstreamLeg& leg);
  // What the connection to the server begins with; empty: nothing.
  std::string header_for(const state::Exchange& exchange) const;
  Progress failed(std::string_view why, Progress how = Progress::failed);
  Progress attach(state::Exchange& exchange, std::unique_ptr<tls::Stream>&& stream, Leg&& leg);

  Worker& worker_;
  ExchangeRunner& owner_;
  upstream::Upstream* upstream_ = nullptr;   // of the last attempt, if this configuration has it
  upstream::Server* server_ = nullptr;       // the exchange's, if this configuration has it; the pool outlives us
  bool leads_ = false;                       // others follow
  bool keeps_place_ = false;                 // the next attempt is at `server_`
  std::int64_t following_until_ms_ = 0;      // whomever it follows; 0: it has followed nobody
  std::variant<Nothing, Promised, Queued, AwaitingDescriptor, Following, Connecting, Handshaking, Greeting, Connected,
               Carried>
      stands_;
};

}  // namespace baton::proxy
