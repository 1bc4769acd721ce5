// An origin for load: one thread for all connections, one answer for every request, nothing recorded. (Origin's thread
// per connection would leave little of a small machine to the proxy and the load.)
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <thread>

#include "harness/address.hpp"
#include "harness/fd.hpp"

namespace baton::harness {

class LoadOrigin {
 public:
  // `answer`: the bytes of a whole response. Requests must have no body. `before_answer` is called in the origin's
  // thread with the number of each request, from 1.
  explicit LoadOrigin(std::string answer, std::function<void(std::uint64_t)> before_answer = {});
  ~LoadOrigin();
  LoadOrigin(const LoadOrigin&) = delete;
  LoadOrigin& operator=(const LoadOrigin&) = delete;

  const Address& address() const { return address_; }
  std::uint64_t requests() const { return requests_; }

 private:
  struct Connection {
    Fd socket;
    std::size_t matched = 0;  // bytes of the empty line that ends a head
  };

  void serve();
  void accept();
  // False: the connection has ended.
  bool answer(Connection& connection);

  const std::string answer_;
  const std::function<void(std::uint64_t)> before_answer_;
  Address address_ = loopback(0);
  Fd listener_;
  Fd stop_;
  Fd epoll_;
  std::map<int, Connection> connections_;
  std::atomic<std::uint64_t> requests_ = 0;
  std::thread thread_;
};

}  // namespace baton::harness
