// A path on which bytes are on their way for some time, of any bandwidth: clients connect to its address.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <list>
#include <string>
#include <thread>

#include "harness/address.hpp"
#include "harness/deadline.hpp"
#include "harness/fd.hpp"

namespace baton::harness {

class LongPath {
 public:
  LongPath(Address to, Milliseconds one_way);
  ~LongPath();
  LongPath(const LongPath&) = delete;
  LongPath& operator=(const LongPath&) = delete;

  const Address& address() const { return address_; }
  // The most bytes of one connection that were on their way at a time: those of clients, and those of the server.
  std::size_t most_of_clients() const { return most_of_clients_; }
  std::size_t most_of_servers() const { return most_of_servers_; }

 private:
  struct Piece {
    Clock::time_point due;
    std::string bytes;  // none: the end
  };
  struct Way {
    std::deque<Piece> pieces;
    std::size_t bytes = 0;
    bool has_ended = false;
  };
  struct Connection {
    Fd client, server;
    Way to_server, to_client;
  };

  void serve();
  void accept();
  // False: the connection is over.
  bool take(const Fd& from, Way& way, std::atomic<std::size_t>& most);
  bool deliver(Way& way, const Fd& to) const;

  const Address to_;
  const Milliseconds one_way_;
  Address address_ = loopback(0);
  Fd listener_;
  Fd stop_;
  std::list<Connection> connections_;
  std::atomic<std::size_t> most_of_clients_ = 0;
  std::atomic<std::size_t> most_of_servers_ = 0;
  std::thread thread_;
};

}  // namespace baton::harness
