// Starts a program as systemd does with a socket unit: what it opens becomes descriptors 3, 4, …, announced in
// LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES, and the program takes this process's place.
//
//   launcher [--pid PID] [--names A:B:C] [WHAT:WHERE…] -- PROGRAM ARGUMENTS…
//
// WHAT: tcp, both (a socket of IPv6 that accepts IPv4 too), unix; bound (a stream socket that does not listen), udp, file.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

[[noreturn]] void fail(const std::string& what) {
  std::perror(what.c_str());
  std::exit(125);
}

// As systemd does: a previous program's connections may linger on the port.
int new_socket(int family, int type) {
  const int fd = ::socket(family, type, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return fd;
}

int bound_inet(int type, const std::string& where) {
  const std::size_t colon = where.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(where.substr(colon + 1))));
  inet_pton(AF_INET, where.substr(0, colon).c_str(), &to.sin_addr);
  const int fd = new_socket(AF_INET, type);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) fail(where);
  return fd;
}

int bound_to_both_families(const std::string& port) {
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
  const int fd = new_socket(AF_INET6, SOCK_STREAM);
  const int off = 0;
  ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) fail(port);
  return fd;
}

int bound_unix(const std::string& path) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::strncpy(to.sun_path, path.c_str(), sizeof to.sun_path - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) fail(path);
  return fd;
}

int open_one(const std::string& what, const std::string& where) {
  if (what == "file") return ::open(where.c_str(), O_RDONLY);
  if (what == "udp") return bound_inet(SOCK_DGRAM, where);
  const int fd = what == "unix" ? bound_unix(where) : what == "both" ? bound_to_both_families(where) : bound_inet(SOCK_STREAM, where);
  if (what != "bound" && ::listen(fd, 128) != 0) fail(where);
  return fd;
}

}  // namespace

int main(int argc, char** argv) {
  std::string pid = std::to_string(::getpid());
  int next = 3;
  int at = 1;
  for (; at < argc && std::strcmp(argv[at], "--") != 0; ++at) {
    const std::string argument = argv[at];
    if (argument == "--pid") {
      pid = argv[++at];
    } else if (argument == "--names") {
      ::setenv("LISTEN_FDNAMES", argv[++at], 1);
    } else {
      const std::size_t colon = argument.find(':');
      const int fd = open_one(argument.substr(0, colon), argument.substr(colon + 1));
      if (fd != next && (::dup2(fd, next) != next || ::close(fd) != 0)) fail(argument);
      ++next;
    }
  }
  ::setenv("LISTEN_FDS", std::to_string(next - 3).c_str(), 1);
  ::setenv("LISTEN_PID", pid.c_str(), 1);
  ::execvp(argv[at + 1], argv + at + 1);
  fail(argv[at + 1]);
}
