#include "harness/client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace baton::harness {

namespace {

Fd connect_from(const std::string& from, const Address& to) {
  const auto in = [](const std::string& host, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, host.c_str(), &address.sin_addr);
    return address;
  };
  const sockaddr_in ours = in(from, 0), theirs = in(to.host, to.port);
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&ours), sizeof ours) != 0 ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&theirs), sizeof theirs) != 0) {
    throw Failure("connect from " + from + " to " + to.text() + ": " + std::strerror(errno));
  }
  return socket;
}

}  // namespace

Client::Client(const Address& to, const std::string& from) : Stream(connect_from(from, to)) {}

Response Client::get(std::string_view path, std::string_view fields) {
  send(get_request(path, fields));
  return response();
}

Response Client::post(std::string_view path, std::string_view body, std::string_view fields) {
  send(post_request(path, body, fields));
  return response();
}

void Client::expect_fin() {
  if (std::string left = read_to_fin(); !left.empty()) throw Failure("FIN was expected, but this came: " + left);
}

std::uint16_t Client::local_port() const {
  sockaddr_in ours{};
  socklen_t length = sizeof ours;
  ::getsockname(fd(), reinterpret_cast<sockaddr*>(&ours), &length);
  return ntohs(ours.sin_port);
}

std::string get_request(std::string_view path, std::string_view fields) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: test.example\r\n" + std::string(fields) + "\r\n";
}

std::string post_request(std::string_view path, std::string_view body, std::string_view fields) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: test.example\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(fields) + "\r\n" + std::string(body);
}

}  // namespace baton::harness
