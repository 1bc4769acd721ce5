// The carriers of a client's connection, and its exchanges that wait for one to be connected.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "proxy/upstream/pool.hpp"
#include "proxy/worker/carrier.hpp"

namespace baton::proxy {

class Carriers {
 public:
  // `sockets`: of the state's carriers, in their order. All outlive this.
  Carriers(Worker& worker, Connection& connection, state::ConnectionState& state,
           std::vector<handoff::UniqueFd> sockets);

  // From the pool, or just connected.
  Carrier& add(std::unique_ptr<tls::Stream> stream, state::Boxed<state::UpstreamLeg> leg);
  Carrier& with(std::uint32_t number) const;
  // One to this server that may have another stream; nullptr: none. `fresh`: none that may be stale.
  Carrier* to(const upstream::Server& server, const upstream::Upstream& upstream, bool fresh) const;
  // The exchange's stream is about to go. The last one's carrier goes back to the pool of its server, or ends.
  void leave(const ExchangeRunner& user, const state::UpstreamLeg& stream) noexcept;

  // Its last exchange has not come about.
  void release_if_unused(const Carrier& carrier);

  // One exchange connects to a server, while others wait for the carrier that comes of it.
  // Whether another one should wait for those that connect, if each carrier takes so many streams (0: any number).
  bool may_follow(const upstream::Server& server, std::uint64_t streams_each) const;
  void lead(const upstream::Server& server, const ExchangeRunner& leader) { leaders_.push_back({&server, &leader}); }
  // It has a carrier, or none will come: those that wait try again.
  void end_lead(const ExchangeRunner& leader, bool is_connected) noexcept;
  void await(const upstream::Server& server, ExchangeRunner& follower) { followers_.push_back({&server, &follower}); }
  void forget(const ExchangeRunner& follower);

  // As of Carrier.
  bool read(std::size_t& moved);
  bool write(std::size_t& moved);
  bool can_move() const;

  bool watch();
  void freeze();
  void note_shared();
  void let_go();

 private:
  struct Leader {
    const upstream::Server* server;
    const ExchangeRunner* runner;
  };
  struct Follower {
    const upstream::Server* server;
    ExchangeRunner* runner;
  };

  void release(std::uint32_t number) noexcept;

  Worker& worker_;
  Connection& connection_;
  state::ConnectionState& state_;
  std::vector<std::unique_ptr<Carrier>> carriers_;  // of state_.carriers, at the same places
  std::vector<Leader> leaders_;
  std::vector<Follower> followers_;
};

}  // namespace baton::proxy
