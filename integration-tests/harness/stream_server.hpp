// A server of any protocol on a free port: one blocking thread for each connection.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <thread>

#include "harness/address.hpp"
#include "harness/stream.hpp"

namespace baton::harness {

class StreamServer {
 public:
  // What a connection's thread does; a Failure ends the connection.
  using Serve = std::function<void(Stream&)>;

  explicit StreamServer(Serve serve);
  // Wakes threads that read. None may wait for anything else.
  ~StreamServer();
  StreamServer(const StreamServer&) = delete;
  StreamServer& operator=(const StreamServer&) = delete;

  const Address& address() const { return address_; }
  std::size_t accepted() const { return accepted_; }

 private:
  struct Connection {
    explicit Connection(Fd socket) : stream(std::move(socket)) { stream.be_patient(); }
    Stream stream;
    std::thread thread;
  };

  void accept_all();

  Serve serve_;
  Address address_ = loopback(0);
  Fd listener_ = listen_on(address_);
  std::atomic<std::size_t> accepted_ = 0;
  std::list<Connection> connections_;  // the acceptor's, until it has ended
  std::thread acceptor_;
};

}  // namespace baton::harness
