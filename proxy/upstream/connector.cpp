#include "proxy/upstream/connector.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "proxy/runtime/socket.hpp"

namespace baton::upstream {

Connecting begin_connect(const state::SocketAddress& address, int keepalive_s) {
  sockaddr_storage storage;
  const socklen_t length = address.to_sockaddr(storage);
  handoff::UniqueFd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return {.error = errno};
  if (address.family != state::Family::unix_path) {
    const int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (keepalive_s != 0) runtime::keep_alive(socket.get(), keepalive_s);
  }
  int result;
  do {
    result = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return {.socket = std::move(socket), .established = true};
  if (errno == EINPROGRESS) return {.socket = std::move(socket)};
  return {.error = errno};
}

}  // namespace baton::upstream
