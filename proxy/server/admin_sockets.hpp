// The sockets of the admin interface. Each has an `Admin` with its own clients, so a crowd on one socket does not shut
// out clients on the others.
#pragma once

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "handoff/parties.hpp"
#include "proxy/admin/admin.hpp"
#include "proxy/server/listener.hpp"

namespace baton::proxy {

// Resolves the addresses into sockets to open. Name lookup is slow, so do not call this in the main thread. In place of
// a listener's name, each socket has its address as written. Throws std::runtime_error for an unknown name.
std::vector<WantedSocket> look_up_admin(const std::vector<config::Address>& addresses);

class AdminSockets {
 public:
  AdminSockets(boost::asio::io_context& context, std::function<admin::Source()> source)
      : context_(context), source_(std::move(source)) {}

  // Takes from `sockets` those bound to one of the addresses: a predecessor's sockets named @admin, or sockets passed
  // by a service manager, which are `lent`. `become_instance` releases the remaining @admin sockets.
  void claim(const std::vector<WantedSocket>& wanted, std::vector<handoff::InheritedSocket>& sockets,
             const std::vector<std::string>& lent);
  // Listens on all of them, claimed sockets and new ones. Throws std::runtime_error naming the address.
  void open(const std::vector<WantedSocket>& wanted);

  void pause();
  void resume();
  bool is_answering() const;
  void close();

  // Removes the predecessor's paths that are no longer in the configuration.
  void become_instance();
  // Rebinds each path that has been removed; `anew(path, make)` calls `make` and reports it.
  void put_back(const std::function<void(const std::string& path, const std::function<void()>& make)>& anew);
  // Remove all paths, or only those that this process created.
  void unlink() const;
  void unlink_bound_here() const;

  // The sockets to offer to a successor; those of the address `known_as` come last.
  std::vector<handoff::OfferedSocket> to_pass_on(const std::string& known_as) const;
  std::vector<std::string> lent() const;
  std::vector<std::string> addresses() const;

 private:
  struct Socket {
    std::string written;  // the address as written in the configuration
    BoundSocket bound;    // a copy of the descriptor, which identifies the path
    std::unique_ptr<admin::Admin> admin;
  };
  bool is_wanted_with_any_port(const std::vector<WantedSocket>& wanted, const state::SocketAddress& address) const;
  void open_group(std::span<const WantedSocket> group);
  void add(const std::string& written, BoundSocket bound);
  void listen(Socket& socket, handoff::UniqueFd descriptor);

  boost::asio::io_context& context_;  // outlives this
  std::function<admin::Source()> source_;
  std::vector<BoundSocket> claimed_;
  std::vector<BoundSocket> dropped_;
  std::vector<Socket> sockets_;
};

// The address that identifies an instance from one generation to the next; empty if there is none. `before` is the
// address that identifies the predecessor, if any.
std::string admin_known_as(const std::vector<config::Address>& addresses, const std::string& before = {});

}  // namespace baton::proxy
