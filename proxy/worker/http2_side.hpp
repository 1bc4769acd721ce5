// The HTTP/2 of a client's connection: its streams, and what carries out the exchange of each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "proxy/http2/frames.hpp"
#include "proxy/runtime/deadlines.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/worker/exchange_runner.hpp"

namespace baton::proxy {

class Http2Side final : private http2::Streams {
 public:
  // The state's protocol is HTTP/2; all three outlive this. `upstreams`: the sockets of the streams' legs to servers,
  // in the order of the streams.
  Http2Side(Worker& worker, Connection& connection, state::ConnectionState& state,
            std::vector<handoff::UniqueFd> upstreams);
  ~Http2Side();

  // Writes what a server begins with.
  void begin();
  bool watch();
  void freeze();
  // Other processes may hold copies of the sockets; or own them.
  void note_shared();
  void let_go();
  void was_never_ours();
  void reconfigured();

  // Takes apart what has come, carries on the exchanges that can go on, and puts what they send into the client's leg.
  // True: something has moved. Counts bytes to and from servers in `moved`.
  bool advance(std::size_t& moved);
  // Something has happened to its exchange, so that it can go on.
  void touch(const ExchangeRunner& runner);
  // Something of its request has been put into a frame.
  void note_sealed(const ExchangeRunner& runner);
  // The engine wishes this for the exchange.
  void obey(ExchangeRunner& runner, engine::Action action, engine::Context& context);
  // The client sends no more: requests that are not whole will never be. True: there are some.
  bool note_client_ended();
  // How many bytes may be read into the client's leg.
  std::size_t wanted() const;
  // No stream is open, and no other will be.
  bool is_over() const;
  // No further stream is served.
  void go_away();
  // Ends all exchanges; their servers see a reset.
  void cut();
  // Of the connection; the streams have their own.
  std::int64_t deadline_ms() const;

 private:
  class Stream;

  std::size_t count() const override { return streams_.size(); }
  state::Flow* find(std::uint32_t id) override;
  state::Flow& begin(std::uint32_t id) override;
  void note_touched(state::Flow& flow) override;
  void each(void (*visit)(state::Flow& flow, void* with), void* with) override;

  Stream* stream(std::uint32_t id) const;
  void on_deadline(Stream& stream);
  // True: there may be more to do.
  bool carry_on(Stream& stream, std::size_t& moved);
  bool take_turn(Stream& stream, std::size_t& moved);
  // False: it is over.
  bool obey(Stream& stream, engine::Action action, engine::Context& context);
  bool is_stalled(Stream& stream) const;
  void finish(Stream& stream, http2::Error if_unfinished);
  void drop(Stream& stream);
  void set_deadline(Stream& stream);
  void remove_finished();
  void return_credit();
  void go_away_if_due();

  Worker& worker_;
  Connection& connection_;
  state::ConnectionState& state_;
  state::Http2& http2_;
  http2::Terms terms_;  // of now
  http2::Floods floods_;
  std::vector<std::unique_ptr<Stream>> streams_;  // of http2_.streams, at the same places
  std::size_t finished_ = 0;                      // of the streams, and still there
  std::size_t first_ = 0;                         // whose turn it is first
  bool touched_again_ = false;                    // a stream that may have had its turn in this pass
};

}  // namespace baton::proxy
