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
  for (const config::Address& address : addresses) {
    for (auto& bind : listening_addresses(address)) wanted.push_back({address.text(), std::move(bind), false});
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
    const bool is_wanted =
        std::ranges::find(wanted, bound.address, &WantedSocket::address) != wanted.end() &&
        std::ranges::none_of(claimed_, has_address);
    if (!is_wanted && !is_predecessors) continue;
    bound.lent = std::ranges::find(lent, bound.address.text()) != lent.end();
    bound.socket = std::move(socket.descriptor);
    (is_wanted ? claimed_ : dropped_).push_back(std::move(bound));
  }
}

void AdminSockets::open(const std::vector<WantedSocket>& wanted) {
  for (const WantedSocket& one : wanted) {
    const auto serves_too = [&](const BoundSocket& claimed) { return serves_as_well(claimed.socket.get(), one.address); };
    if (std::ranges::any_of(claimed_, serves_too)) continue;
    const auto claimed = std::ranges::find(claimed_, one.address, &BoundSocket::address);
    Socket& socket = sockets_.emplace_back();
    socket.written = one.listener;
    socket.admin = std::make_unique<admin::Admin>(context_, source_());
    if (claimed != claimed_.end()) {
      socket.bound = std::move(*claimed);
      claimed_.erase(claimed);
      listen(socket, std::move(socket.bound.socket));
      continue;
    }
    handoff::UniqueFd made;
    try {
      made = bind_socket(one.address, owner_only);
    } catch (...) {
      sockets_.pop_back();
      unlink_bound_here();
      throw;
    }
    socket.bound = {name_in_estate, one.address, {}, true, false};
    listen(socket, std::move(made));
  }
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
