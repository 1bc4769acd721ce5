// A blocking client on one connection. It never reconnects, so a lost connection fails the test.
#pragma once

#include <string>
#include <string_view>

#include "harness/address.hpp"
#include "harness/message.hpp"
#include "harness/stream.hpp"

namespace baton::harness {

class Client : public Stream {
 public:
  explicit Client(const Address& to) : Stream(connect_to(to)) {}
  // From an address of this machine: `from` is an IPv4 literal, as another client would have it.
  Client(const Address& to, const std::string& from);

  // One request and its whole answer. `fields` are additional lines, each with its CRLF.
  Response get(std::string_view path, std::string_view fields = "");
  Response post(std::string_view path, std::string_view body, std::string_view fields = "");

  Response response(BodyIs body = BodyIs::as_framed) { return read_response(*this, body); }

  // Expects the other side to close cleanly without sending anything first.
  void expect_fin();

  // Our address on this connection, as in X-Forwarded-For and the log.
  std::uint16_t local_port() const;
};

// "GET /path HTTP/1.1" with a Host; `fields` are additional lines, each with its CRLF.
std::string get_request(std::string_view path, std::string_view fields = "");
std::string post_request(std::string_view path, std::string_view body, std::string_view fields = "");

}  // namespace baton::harness
