#include "scale/scale_client.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

#include "harness/client.hpp"

namespace baton::harness {

namespace {

Fd connected(std::uint16_t port) {
  Fd socket = connect_to(loopback(port));
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

}  // namespace

ScaleClient::ScaleClient(std::uint16_t port, Board& board, std::uint32_t id)
    : Peer(connected(port)), id_(id), board_(board) {
  ++board_.opened;
}

void ScaleClient::lose(const std::string& why) {
  if (std::exchange(is_lost_, true)) return;
  if (board_.lost == 0) {
    const std::string text = "connection " + std::to_string(id_) + ": " + why;
    text.copy(board_.first_loss, sizeof board_.first_loss - 1);
  }
  ++board_.lost;
}

}  // namespace baton::harness
