#include "proxy/server/admin_sockets.hpp"

#include <fcntl.h>

#include <algorithm>
#include <utility>

namespace baton::proxy {

namespace {

constexpr unsigned owner_only = 0600;
constexpr const char* name_in_estate = "@admin";

bool is_path(const state::SocketAddress& address) {
  return address.family == state::Family::unix_path && address.path.view().starts_with('/');
}

}  // namespace

std::vector<WantedSocket> look_up_admin(const std::vector<config::Address>& addresses) {
  std::vector<WantedSocket> wanted;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    for (auto& bind : listening_addresses(addresses[i])) {
      wanted.push_back({addresses[i].text(), std::move(bind), false, default_backlog, i});
    }
  }
  return wanted;
}

void AdminSockets::claim(const std::vector<WantedSocket>& wanted, std::vector<handoff::InheritedSocket>& sockets,
                         const std::vector<std::string>& lent) {
  for (handoff::InheritedSocket& socket : sockets) {
    const bool is_predecessors = socket.name == name_in_estate;
    if (!socket.descriptor || (socket.name.starts_with('@') && !is_predecessors)) continue;
    // Use the address as bound: an older predecessor gives the one in its configuration.
    BoundSocket bound{name_in_estate, bound_address(socket.descriptor.get()), {}, false, false};
    const auto has_address = [&](const BoundSocket& other) { return other.address == bound.address; };
    const bool is_written = std::ranges::find(wanted, bound.address, &WantedSocket::address) != wanted.end();
    const bool is_wanted = is_written ? std::ranges::none_of(claimed_, has_address)
                                      : is_predecessors && is_wanted_with_any_port(wanted, bound.address);
    if (!is_wanted && !is_predecessors) continue;
    bound.lent = std::ranges::find(lent, bound.address.text()) != lent.end();
    bound.socket = std::move(socket.descriptor);
    (is_wanted ? claimed_ : dropped_).push_back(std::move(bound));
  }
}

// One whose port the kernel chose for a predecessor, as long as there is a place for it.
bool AdminSockets::is_wanted_with_any_port(const std::vector<WantedSocket>& wanted,
                                           const state::SocketAddress& address) const {
  const state::SocketAddress any = with_any_port(address);
  if (!has_any_port(any)) return false;
  const auto is_claimed_for_it = [&](const BoundSocket& other) {
    return with_any_port(other.address) == any &&
           std::ranges::find(wanted, other.address, &WantedSocket::address) == wanted.end();
  };
  return std::ranges::count(wanted, any, &WantedSocket::address) > std::ranges::count_if(claimed_, is_claimed_for_it);
}

void AdminSockets::open(const std::vector<WantedSocket>& wanted) {
  try {
    // Ports that are written first: a claimed socket with one of them is not for an address without.
    for (const bool any_port : {false, true}) {
      for (std::span<const WantedSocket> rest = wanted; !rest.empty();) {
        const auto group = first_written(rest);
        if (has_any_port(group.front().address) == any_port) open_group(group);
        rest = rest.subspan(group.size());
      }
    }
  } catch (...) {
    unlink_bound_here();
    throw;
  }
}

// The sockets of one address as written.
void AdminSockets::open_group(std::span<const WantedSocket> group) {
  std::vector<state::SocketAddress> missing;
  std::uint16_t port = group.front().address.port;
  for (const WantedSocket& one : group) {
    const auto serves_too = [&](const BoundSocket& claimed) { return serves_as_well(claimed.socket.get(), one.address); };
    if (std::ranges::any_of(claimed_, serves_too)) continue;
    const auto is_it = [&](const BoundSocket& claimed) {
      return (has_any_port(one.address) ? with_any_port(claimed.address) : claimed.address) == one.address;
    };
    const auto claimed = std::ranges::find_if(claimed_, is_it);
    if (claimed == claimed_.end()) {
      missing.push_back(one.address);
      continue;
    }
    port = claimed->address.port;
    BoundSocket bound = std::move(*claimed);
    claimed_.erase(claimed);
    add(one.listener, std::move(bound));
  }
  for (state::SocketAddress& address : missing) address.port = port;
  auto made = bind_with_one_port(missing, owner_only);
  for (std::size_t i = 0; i < made.size(); ++i) {
    add(group.front().listener, {name_in_estate, missing[i], std::move(made[i]), true, false});
  }
}

void AdminSockets::add(const std::string& written, BoundSocket bound) {
  Socket& socket = sockets_.emplace_back();
  socket.written = written;
  socket.admin = std::make_unique<admin::Admin>(context_, source_());
  handoff::UniqueFd descriptor = std::move(bound.socket);
  socket.bound = std::move(bound);
  listen(socket, std::move(descriptor));
}

void AdminSockets::listen(Socket& socket, handoff::UniqueFd descriptor) {
  socket.bound.socket = handoff::UniqueFd(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, 3));
  socket.admin->listen(std::move(descriptor));
}

void AdminSockets::pause() {
  for (const Socket& socket : sockets_) socket.admin->pause();
}

void AdminSockets::resume() {
  for (const Socket& socket : sockets_) socket.admin->resume();
}

bool AdminSockets::is_answering() const {
  return std::ranges::any_of(sockets_, [](const Socket& socket) { return socket.admin->is_answering(); });
}

void AdminSockets::close() {
  sockets_.clear();
}

void AdminSockets::become_instance() {
  for (const BoundSocket& socket : dropped_) unlink_path(socket);
  dropped_.clear();
  resume();
}

void AdminSockets::put_back(
    const std::function<void(const std::string& path, const std::function<void()>& make)>& anew) {
  for (Socket& socket : sockets_) {
    if (socket.bound.lent || !is_path(socket.bound.address)) continue;
    const std::string path(socket.bound.address.path);
    if (!is_gone(path)) continue;
    anew(path, [&] { listen(socket, bind_socket(socket.bound.address, owner_only)); });
  }
}

void AdminSockets::unlink() const {
  for (const Socket& socket : sockets_) unlink_path(socket.bound);
}

void AdminSockets::unlink_bound_here() const {
  for (const Socket& socket : sockets_) {
    if (socket.bound.bound_here) unlink_path(socket.bound);
  }
}

std::vector<handoff::OfferedSocket> AdminSockets::to_pass_on(const std::string& known_as) const {
  std::vector<handoff::OfferedSocket> offered;
  for (const bool is_known : {false, true}) {
    for (const Socket& socket : sockets_) {
      if ((socket.written == known_as) != is_known || socket.admin->listener() < 0) continue;
      offered.push_back({name_in_estate, socket.bound.address.text(), socket.admin->listener()});
    }
  }
  return offered;
}

std::vector<std::string> AdminSockets::lent() const {
  std::vector<std::string> addresses;
  for (const Socket& socket : sockets_) {
    if (socket.bound.lent) addresses.push_back(socket.bound.address.text());
  }
  return addresses;
}

std::vector<std::string> AdminSockets::addresses() const {
  std::vector<std::string> addresses;
  for (const Socket& socket : sockets_) addresses.push_back(socket.bound.address.text());
  return addresses;
}

std::string admin_known_as(const std::vector<config::Address>& addresses, const std::string& before) {
  const auto is_path = [](const config::Address& address) { return !address.unix_path.empty(); };
  if (std::ranges::find(addresses, before, &config::Address::text) != addresses.end()) return before;
  const auto path = std::ranges::find_if(addresses, is_path);
  const auto other = std::ranges::find_if_not(addresses, is_path);
  // An instance that was identified by something other than a path must not switch to a path: that would rule out a
  // rollback.
  if (before.empty() && path != addresses.end()) return path->text();
  return other != addresses.end() ? other->text() : "";
}

}  // namespace baton::proxy
