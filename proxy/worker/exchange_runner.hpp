// Carries out one exchange of a connection: its route and rules, the check of its password, and its upstream side. What
// the engine asks of the client's end is left to the connection.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "proxy/engine/engine.hpp"
#include "proxy/runtime/socket.hpp"
#include "proxy/worker/upstream_side.hpp"
#include "proxy/worker/verifier.hpp"

namespace baton::proxy {

class Connection;
class Worker;

class ExchangeRunner final : public runtime::SocketOwner {
 public:
  // All three outlive this.
  ExchangeRunner(Worker& worker, Connection& connection, state::ClientSide& side)
      : worker_(worker), connection_(connection), side_(side), upstream_(worker, *this) {}

  Connection& connection() const { return connection_; }
  state::ClientSide& side() const { return side_; }
  UpstreamSide& upstream() { return upstream_; }
  const UpstreamSide& upstream() const { return upstream_; }
  const routing::Route* route() const { return route_; }

  // The configuration has changed: looks up again what the exchange goes by.
  void reconfigured();
  // Those of the route, in the settings of now.
  const engine::Rules& rules() {
    if (stretched_rules_) [[unlikely]]
      unstretch();
    return *rules_;
  }
  http1::Verdict verdict() const { return verdict_; }

  // Something that the engine does not know of must come first.
  bool waits() const { return upstream_.is_connecting() || question_ != nullptr; }
  bool awaits_verdict() const { return question_ != nullptr; }
  // Does what the engine asks for. What concerns the client's end is returned, else `wait`. `context` is that of the
  // whole turn.
  engine::Action obey(engine::Action action, engine::Context& context);
  // The attempt to reach a server has made progress, and its deadline has come: both return the engine's next wish.
  engine::Action after(UpstreamSide::Progress progress, engine::Context& context);
  engine::Action expire(engine::Context& context);

  // Whether the server's socket may have something to read, and takes something that is to be sent.
  bool can_read() const {
    const tls::Stream* const stream = upstream_.connected();
    return stream != nullptr && stream->readable(*side_.upstream());
  }
  bool can_write() const {
    const tls::Stream* const stream = upstream_.connected();
    return stream != nullptr && stream->has_to_send(*side_.upstream()) && stream->socket().writable();
  }
  bool can_move() const { return can_read() || can_write(); }
  // If it can. True: there was progress. Both count the bytes that they move in `moved`. `then`: what the engine asks
  // for because reading has failed.
  bool read_upstream(std::size_t& moved, engine::Action& then);
  bool write_upstream(std::size_t& moved);
  // Bytes that may pass unseen go from the client's socket to the server's. Nothing: none may, or only a read can tell
  // what is there.
  std::optional<runtime::Io> pass_upload(std::size_t& moved);
  // Bytes from the client have come in.
  void note_received(std::size_t bytes) { received_since_ += bytes; }

  // The answer to a question under way is not heard.
  void forget_password();
  void freeze();
  // Logs the exchange and drops it.
  void end_exchange();
  void log_exchange();

  void on_ready(runtime::Socket& socket) override;
  // It waited for a server, and has a place at this one. Never throws.
  void on_place(upstream::Place place);
  // Its client's address without the port.
  std::string client() const;

 private:
  std::optional<runtime::Io> pass_download(std::size_t& moved);
  // The exchange's route; nullptr: none. Its rules hold from now on.
  void follow(const routing::Route* route);
  const engine::Rules& rules_of_route() const;
  void unstretch();
  UpstreamSide::Asking asking() { return {side_, route_}; }
  // After each step of the engine: notes what it noticed.
  void note_step();
  // The verdict on the client's password, now or later.
  engine::Action authenticate(engine::Context& context);
  void verified(bool is_good);
  bool is_logged(const state::Exchange& exchange);

  Worker& worker_;
  Connection& connection_;
  state::ClientSide& side_;
  UpstreamSide upstream_;
  std::shared_ptr<Verifier::Question> question_;  // while the exchange waits for its answer
  const routing::Route* route_ = nullptr;  // of its exchange, in the settings of now; nullptr: none, or it is gone
  const engine::Rules* rules_ = nullptr;   // `stretched_rules_`, or the route's
  std::unique_ptr<engine::Rules> stretched_rules_;  // for bytes that exceed the rules and arrived before them
  std::size_t received_since_ = 0;                  // bytes from the client since the rules last changed
  http1::Verdict verdict_ = http1::Verdict::none;   // on the exchange's request, under this configuration
};

}  // namespace baton::proxy
