// Both ends of a TCP connection over loopback: ours for a socket under test, and the other side's.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "handoff/unique_fd.hpp"

namespace baton::runtime {

struct TcpPair {
  TcpPair() {
    const handoff::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    const auto require = [](bool holds) {
      if (!holds) throw std::system_error(errno, std::generic_category(), "a TCP connection over loopback");
    };
    require(::bind(listener.get(), any, length) == 0);
    require(::listen(listener.get(), 1) == 0);
    require(::getsockname(listener.get(), any, &length) == 0);
    peer = handoff::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    require(::connect(peer.get(), any, length) == 0);
    ours = handoff::UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    require(static_cast<bool>(ours));
  }

  void reset_peer() {
    const linger at_once{1, 0};
    ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    peer.reset();
  }

  handoff::UniqueFd peer;  // blocking
  handoff::UniqueFd ours;  // non-blocking
};

}  // namespace baton::runtime
