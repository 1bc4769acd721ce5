#include "harness/long_path.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace baton::harness {

LongPath::LongPath(Address to, Milliseconds one_way)
    : to_(std::move(to)), one_way_(one_way), listener_(listen_on(address_)), stop_(::eventfd(0, EFD_CLOEXEC)) {
  thread_ = std::thread([this] { serve(); });
}

LongPath::~LongPath() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

void LongPath::serve() {
  for (;;) {
    std::vector<pollfd> polled{{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    Clock::time_point next = Clock::now() + wait_max;
    const auto add = [&](const Fd& fd, const Way& from, const Way& to) {
      const bool is_due = !to.pieces.empty() && to.pieces.front().due <= Clock::now();
      polled.push_back({fd.get(), static_cast<short>((from.has_ended ? 0 : POLLIN) | (is_due ? POLLOUT : 0)), 0});
      if (polled.back().events == 0) polled.back().fd = -1;  // it would report its end again and again
      if (!to.pieces.empty() && !is_due) next = std::min(next, to.pieces.front().due);
    };
    for (const Connection& one : connections_) {
      add(one.client, one.to_server, one.to_client);
      add(one.server, one.to_client, one.to_server);
    }
    const auto wait = std::chrono::ceil<Milliseconds>(next - Clock::now()).count();
    ::poll(polled.data(), polled.size(), static_cast<int>(std::max<std::int64_t>(wait, 0)));
    if (polled[0].revents != 0) return;
    std::size_t at = 2;
    std::erase_if(connections_, [&](Connection& one) {
      const short of_client = polled[at++].revents;
      const short of_server = polled[at++].revents;
      return (of_client != 0 && !take(one.client, one.to_server, most_of_clients_)) ||
             (of_server != 0 && !take(one.server, one.to_client, most_of_servers_)) ||
             !deliver(one.to_server, one.server) || !deliver(one.to_client, one.client);
    });
    if (polled[1].revents != 0) accept();
  }
}

void LongPath::accept() {
  Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (client) connections_.push_back({std::move(client), connect_to(to_), {}, {}});
}

bool LongPath::take(const Fd& from, Way& way, std::atomic<std::size_t>& most) {
  char bytes[64 * 1024];
  const ssize_t got = ::recv(from.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN;
  if (way.has_ended) return true;
  way.has_ended = got == 0;
  way.bytes += static_cast<std::size_t>(got);
  way.pieces.push_back({Clock::now() + one_way_, std::string(bytes, static_cast<std::size_t>(got))});
  most = std::max(most.load(), way.bytes);
  return true;
}

bool LongPath::deliver(Way& way, const Fd& to) const {
  while (!way.pieces.empty() && way.pieces.front().due <= Clock::now()) {
    std::string& bytes = way.pieces.front().bytes;
    if (bytes.empty()) {
      ::shutdown(to.get(), SHUT_WR);
    } else {
      const ssize_t sent = ::send(to.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN;
      way.bytes -= static_cast<std::size_t>(sent);
      bytes.erase(0, static_cast<std::size_t>(sent));
      if (!bytes.empty()) return true;
    }
    way.pieces.pop_front();
  }
  return true;
}

}  // namespace baton::harness
