#include "proxy/process/names.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>

namespace baton::process {

std::expected<std::vector<state::SocketAddress>, std::string> look_up(const config::Address& address) {
  if (!address.unix_path.empty()) {
    state::SocketAddress path;
    path.family = state::Family::unix_path;
    path.path = address.unix_path;
    return std::vector{path};
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const char* host = address.host.empty() ? nullptr : address.host.c_str();
  const int error = ::getaddrinfo(host, std::to_string(address.port).c_str(), &hints, &found);
  if (error != 0) return std::unexpected(::gai_strerror(error));
  std::vector<state::SocketAddress> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    sockaddr_storage storage{};
    std::copy_n(reinterpret_cast<const char*>(one->ai_addr), one->ai_addrlen, reinterpret_cast<char*>(&storage));
    addresses.push_back(state::SocketAddress::from_sockaddr(storage, one->ai_addrlen));
  }
  ::freeaddrinfo(found);
  return addresses;
}

}  // namespace baton::process
