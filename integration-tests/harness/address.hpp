// Where a socket listens or connects to, and the few ways in which tests make one.
#pragma once

#include <cstdint>
#include <string>

#include "harness/fd.hpp"

namespace baton::harness {

struct Address {
  std::string host;  // an IPv4 or IPv6 literal; empty for a Unix socket
  std::uint16_t port = 0;
  std::string unix_path;

  // As the proxy's configuration writes it.
  std::string text() const;
};

Address loopback(std::uint16_t port);
Address loopback_v6(std::uint16_t port);
Address unix_socket(std::string path);

// A port without a listener that no other call returned, in this process or in another running one. It is not one of
// those that the kernel assigns to connections: under load it would be taken before the program under test binds it.
std::uint16_t free_port();

// Port 0 is replaced by the one the kernel chose.
Fd listen_on(Address& address, int backlog = 4096);

// Connects, or throws Failure with the reason.
Fd connect_to(const Address& address);

// Whether a server could listen there now. A killed process holds its sockets until the kernel has closed them.
bool can_listen_on(Address address);

// Whether a server accepts connections there now.
bool is_listening(const Address& address);

// A listening socket whose queue is full: a connect to it is neither accepted nor refused.
class FullBacklog {
 public:
  FullBacklog();
  std::uint16_t port() const { return address_.port; }

 private:
  Address address_;
  Fd listener_;
  Fd waiting_[8];
};

}  // namespace baton::harness
