#include "harness/client.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

namespace baton::harness {

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
