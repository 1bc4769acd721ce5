#include "proxy/process/activation.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include "handoff/limits.hpp"
#include "proxy/state/address.hpp"

namespace baton::process {

namespace {

constexpr int first_passed_descriptor = 3;

std::optional<long> number_in(const std::string& text) {
  long number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return number;
}

// Returns the variable's value and unsets it.
std::optional<std::string> take_variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  std::string text = value;
  ::unsetenv(name);
  return text;
}

std::vector<std::string> split_names(std::string_view names) {
  std::vector<std::string> all;
  while (!names.empty()) {
    const std::size_t end = std::min(names.find(':'), names.size());
    all.emplace_back(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return all;
}

int socket_option(int fd, int option) {
  int value = 0;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

// Why we cannot accept on it; nothing: we can.
std::optional<std::string> what_is_wrong(int fd) {
  const int type = socket_option(fd, SO_TYPE);
  if (type < 0) return "is not a socket";
  if (type != SOCK_STREAM) return "is not a stream socket (a listener needs ListenStream=)";
  if (socket_option(fd, SO_ACCEPTCONN) != 1) return "does not listen (a socket unit needs Accept=no)";
  const int domain = socket_option(fd, SO_DOMAIN);
  if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX) return "is neither an IP socket nor a Unix socket";
  return std::nullopt;
}

std::string address_of(int fd) {
  sockaddr_storage name{};
  socklen_t length = sizeof name;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length) != 0) return {};
  return state::SocketAddress::from_sockaddr(name, length).text();
}

}  // namespace

PassedSockets take_passed_sockets(pid_t meant_for) {
  const auto count_text = take_variable("LISTEN_FDS");
  const auto pid_text = take_variable("LISTEN_PID");
  const auto names = split_names(take_variable("LISTEN_FDNAMES").value_or(""));
  if (!count_text || !pid_text || number_in(*pid_text) != meant_for) return {};

  PassedSockets passed;
  const std::optional<long> count = number_in(*count_text);
  if (!count || *count < 0 || *count > static_cast<long>(handoff::limits::sockets_inherited_max)) {
    passed.refused.push_back("LISTEN_FDS is '" + *count_text + "', which is not a number of sockets");
    return passed;
  }
  for (long i = 0; i < *count; ++i) {
    const int number = first_passed_descriptor + static_cast<int>(i);
    const auto index = static_cast<std::size_t>(i);
    const std::string name = index < names.size() ? names[index] : "unknown";
    const auto refuse = [&](const std::string& why) {
      passed.refused.push_back("descriptor " + std::to_string(number) + " (" + name + ") " + why);
    };
    if (::fcntl(number, F_SETFD, FD_CLOEXEC) != 0) {
      refuse("is not open");
      continue;
    }
    handoff::UniqueFd socket(number);
    if (const auto wrong = what_is_wrong(number)) {
      refuse(*wrong);
      continue;
    }
    passed.sockets.push_back({name, address_of(number), std::move(socket)});
  }
  return passed;
}

std::string describe(const handoff::InheritedSocket& passed) {
  return passed.address + " (" + passed.name + ")";
}

}  // namespace baton::process
