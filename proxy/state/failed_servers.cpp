#include "proxy/state/failed_servers.hpp"

#include <new>
#include <string>

namespace baton::state {

namespace {

// Calls `visit` for each address, until that returns false.
template <class Visit>
void each(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const std::size_t end = list.find('\n');
    if (end == std::string_view::npos || !visit(list.substr(0, end))) return;
    list.remove_prefix(end + 1);
  }
}

}  // namespace

void note_failed(Exchange& exchange, const SocketAddress& server) noexcept {
  try {
    const std::string address = server.text();
    if (!exchange.extras) exchange.extras.emplace();
    std::string list;
    each(exchange.extras->failed, [&](std::string_view other) {
      if (other != address) list.append(other) += '\n';
      return true;
    });
    exchange.extras->failed = list + address + "\n";
  } catch (const std::bad_alloc&) {
  }
}

unsigned place_among_failed(const Exchange& exchange, const SocketAddress& server) {
  if (!has_failed(exchange)) return 0;
  const std::string address = server.text();
  unsigned place = 0;
  bool is_among_them = false;
  each(exchange.extras->failed, [&](std::string_view other) {
    ++place;
    is_among_them = other == address;
    return !is_among_them;
  });
  return is_among_them ? place : 0;
}

}  // namespace baton::state
