// The upstream side of one exchange: it finds a server, connects, shakes hands, and then holds the socket of the
// exchange's upstream leg. A connect or handshake that is under way is no state: a successor begins it anew.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <variant>

#include "proxy/engine/action.hpp"
#include "proxy/runtime/socket.hpp"
#include "proxy/state/state.hpp"
#include "proxy/tls/stream.hpp"
#include "proxy/upstream/pool.hpp"

namespace baton::proxy {

class Worker;

class UpstreamSide {
 public:
  // The owner hears of the sockets' events; both outlive this.
  UpstreamSide(Worker& worker, runtime::SocketOwner& owner) : worker_(worker), owner_(owner) {}

  // Goes on with the socket of a leg that the exchange has already.
  void adopt(handoff::UniqueFd socket);
  // It will need a socket, and does not look for a server yet.
  void promise();
  // The configuration has changed. `leg`: the exchange's, if it has one.
  void reconfigured(const state::UpstreamLeg* leg);
  unsigned servers() const { return upstream_ != nullptr ? upstream_->servers() : 0; }

  // What has become of the way to a server.
  enum class Progress {
    waiting,
    connected,             // the exchange has its upstream leg
    unreachable,           // the others: what `engine::Loss` says of them
    failed,
    timed_out,
  };
  // Takes an idle connection, unless the exchange wants a fresh one, or begins to connect.
  Progress connect(state::Exchange& exchange);
  // The socket that is being connected has an event.
  Progress go_on(state::Exchange& exchange);
  // The attempt's deadline has come.
  Progress expire(state::Exchange& exchange);

  bool is_connecting() const { return is<AwaitingDescriptor>() || is<Connecting>() || is<Handshaking>(); }
  // Of an attempt; INT64_MAX: there is none.
  std::int64_t deadline_ms() const;
  bool owns(const runtime::Socket& socket) const { return stream() != nullptr && &stream()->socket() == &socket; }

  // The connection of the exchange's leg; nullptr: there is none.
  tls::Stream* connected() const {
    const auto* connected = std::get_if<Connected>(&stands_);
    return connected != nullptr ? connected->stream.get() : nullptr;
  }

  // Its leg goes to the pool, or is closed in good order if it cannot be used again.
  void park(state::Leg leg);
  // In good order, or by a reset: the server must not take what it has got for the whole.
  void close(state::Leg leg);
  void drop(bool with_reset);

 private:
  struct Nothing {};
  struct Promised {
    explicit Promised(runtime::Loop& loop) : socket(loop) {}
    runtime::Loop::Promise socket;
  };
  // All are in use, which is no fault of the server.
  struct AwaitingDescriptor {
    std::int64_t until_ms = 0;               // then there is no server
    std::int64_t again_ms = 0;
  };
  struct Connecting {
    std::unique_ptr<tls::Stream> stream;
    std::int64_t deadline_ms = 0;
  };
  struct Handshaking {
    std::unique_ptr<tls::Stream> stream;
    std::int64_t deadline_ms = 0;
    std::unique_ptr<state::Leg> leg;
  };
  struct Connected {
    std::unique_ptr<tls::Stream> stream;
  };

  template <class Stand>
  bool is() const {
    return std::holds_alternative<Stand>(stands_);
  }
  tls::Stream* stream() const;
  Progress connect_to(upstream::Server& server, state::Exchange& exchange);
  Progress await_descriptor();
  Progress established(std::unique_ptr<tls::Stream> stream, state::Exchange& exchange);
  Progress shake(state::Exchange& exchange);
  Progress failed(std::string_view why, Progress how = Progress::failed);
  Progress attach(state::Exchange& exchange, std::unique_ptr<tls::Stream> stream, state::Leg&& leg, bool reused);

  Worker& worker_;
  runtime::SocketOwner& owner_;
  upstream::Upstream* upstream_ = nullptr;   // of the last attempt, if this configuration has it
  upstream::Server* server_ = nullptr;       // that it goes to, if this configuration has it; the pool outlives us
  std::variant<Nothing, Promised, AwaitingDescriptor, Connecting, Handshaking, Connected> stands_;
};

}  // namespace baton::proxy
