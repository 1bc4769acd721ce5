// The addresses of the admin interface. Each socket has an `Admin` with clients of its own, so a crowd at one of them
// does not shut out the others.
#pragma once

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "handoff/parties.hpp"
#include "proxy/admin/admin.hpp"
#include "proxy/server/listener.hpp"

namespace baton::proxy {

// The sockets of these addresses, names looked up: slow, so not for the main thread. Each has the address as it is
// written in the place of a listener's name. Throws std::runtime_error for a name that is unknown.
std::vector<WantedSocket> look_up_admin(const std::vector<config::Address>& addresses);

class AdminSockets {
 public:
  AdminSockets(boost::asio::io_context& context, std::function<admin::Source()> source)
      : context_(context), source_(std::move(source)) {}

  // Takes out of `sockets` those that are bound to one of the addresses: sockets named @admin of a predecessor, or what
  // a service manager passed, which is `lent`. The rest of what is named @admin is let go by `become_instance`.
  void claim(const std::vector<WantedSocket>& wanted, std::vector<handoff::InheritedSocket>& sockets,
             const std::vector<std::string>& lent);
  // Listens on all of them: on what was claimed, and on new sockets. Throws std::runtime_error naming the address.
  void open(const std::vector<WantedSocket>& wanted);

  void pause();
  void resume();
  bool is_answering() const;
  void close();

  // Removes paths of the predecessor's that the configuration has no more.
  void become_instance();
  // Binds each path anew that somebody has removed; `anew(path, make)` calls `make` and tells of it.
  void put_back(const std::function<void(const std::string& path, const std::function<void()>& make)>& anew);
  // The paths: all of them, or those that did not exist before this process.
  void unlink() const;
  void unlink_bound_here() const;

  // For a successor; the sockets of the address `known_as` are the last ones.
  std::vector<handoff::OfferedSocket> to_pass_on(const std::string& known_as) const;
  std::vector<std::string> lent() const;
  std::vector<std::string> addresses() const;

 private:
  struct Socket {
    std::string written;  // the address of the configuration
    BoundSocket bound;    // a copy of the descriptor, to know the path by
    std::unique_ptr<admin::Admin> admin;
  };
  void listen(Socket& socket, handoff::UniqueFd descriptor);

  boost::asio::io_context& context_;  // outlives this
  std::function<admin::Source()> source_;
  std::vector<BoundSocket> claimed_;
  std::vector<BoundSocket> dropped_;
  std::vector<Socket> sockets_;
};

// The address that an instance is known by, from one generation to the next: empty if there is none. `before` is what
// the predecessor is known by, if there is one.
std::string admin_known_as(const std::vector<config::Address>& addresses, const std::string& before = {});

}  // namespace baton::proxy
