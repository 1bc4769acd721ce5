#include "proxy/check/addresses.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <boost/json.hpp>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>

#include "handoff/meeting_point.hpp"
#include "proxy/ctl/conversation.hpp"
#include "proxy/server/listener.hpp"

namespace baton::check {

namespace json = boost::json;

namespace {

constexpr std::chrono::milliseconds patience{2'000};

// Whether a process listens there, even one that refuses our user.
bool has_listener(const std::string& handoff_socket) {
  const auto connected = handoff::connect_to(handoff_socket, patience);
  return connected || connected.error().fault != handoff::Fault::closed;
}

// As SocketAddress::text writes them.
std::optional<std::set<std::string>> listening_addresses_of(const config::Address& admin) {
  const auto answer = ctl::ask(admin, {.target = "/status", .body = {}, .patience = patience, .on_line = {}});
  if (!answer || answer->status != 200) return std::nullopt;
  try {
    std::set<std::string> addresses;
    const json::object status = json::parse(answer->body).as_object();
    for (const json::value& one : status.at("listening").as_array()) {
      addresses.emplace(one.as_object().at("address").as_string());
    }
    return addresses;
  } catch (const std::exception&) {
    return std::nullopt;  // an older version
  }
}

std::optional<std::string> in_the_way_of_path(const state::SocketAddress& address) {
  struct stat file {};
  if (::lstat(address.path.c_str(), &file) != 0) return std::nullopt;
  if (!S_ISSOCK(file.st_mode)) return std::string(address.path) + " exists and is not a socket";
  sockaddr_storage storage;
  const socklen_t length = address.to_sockaddr(storage);
  const handoff::UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const bool is_abandoned =
      ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 && errno == ECONNREFUSED;
  if (is_abandoned) return std::nullopt;
  return "another program listens on " + address.text();
}

std::optional<std::string> in_the_way_of_port(const state::SocketAddress& address) {
  sockaddr_storage storage;
  const socklen_t length = address.to_sockaddr(storage);
  const handoff::UniqueFd probe(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!probe) return address.text() + ": " + std::strerror(errno);
  // As a listener does, so that only a listening socket is in the way.
  const int on = 1;
  ::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (storage.ss_family == AF_INET6) ::setsockopt(probe.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(probe.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0) return std::nullopt;
  if (errno == EADDRINUSE) return "another program listens on " + address.text();
  if (errno == EADDRNOTAVAIL) return "this machine does not have the address of " + address.text();
  if (errno == EACCES) return address.text() + " needs CAP_NET_BIND_SERVICE, as its port is below 1024";
  return address.text() + ": " + std::strerror(errno);
}

}  // namespace

Occupants::Occupants(const process::Paths& paths) {
  if (!paths.handoff_socket || !has_listener(*paths.handoff_socket)) return;
  is_running_ = true;
  for (const config::Address& admin : paths.admin) {
    if (!own_) own_ = listening_addresses_of(admin);
  }
}

std::optional<std::string> Occupants::in_the_way_of(const config::Address& address) const {
  for (const state::SocketAddress& wanted : proxy::listening_addresses(address)) {
    const bool is_own = is_running_ && (!own_ || own_->contains(wanted.text()));
    if (is_own) continue;
    auto what = wanted.family == state::Family::unix_path ? in_the_way_of_path(wanted) : in_the_way_of_port(wanted);
    if (what) return what;
  }
  return std::nullopt;
}

}  // namespace baton::check
