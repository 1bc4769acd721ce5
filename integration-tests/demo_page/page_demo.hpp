// `baton demo --page` as a process, with few clients and no upgrade but those that a test asks for.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "harness/baton.hpp"
#include "harness/client.hpp"

namespace baton::harness {

class PageDemo {
 public:
  explicit PageDemo(std::vector<std::string> options = {}) : process_(command(std::move(options), address_.port)) {
    process_.await_line(Process::Stream::out, std::regex("Open " + origin() + "/ .*"));
  }

  const Address& address() const { return address_; }
  std::string origin() const { return "http://" + address_.text(); }
  Process& process() { return process_; }

  // As the page's button does it.
  int press(const std::string& command) { return post(command, "", origin()); }
  int post(const std::string& command, const std::string& body, const std::string& by) {
    Client client(address_);
    client.send("POST /page/" + command + " HTTP/1.1\r\nHost: " + address_.text() +
                (by.empty() ? "" : "\r\nOrigin: " + by) + "\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n\r\n" + body);
    return client.response().status();
  }

  // As Ctrl-C does it. Returns the exit code.
  int stop() {
    process_.signal(SIGINT);
    return process_.await_exit(3 * wait_max).code;
  }

 private:
  static Command command(std::vector<std::string> options, std::uint16_t port) {
    std::vector<std::string> arguments{baton_binary(), "demo",      "--page=127.0.0.1:" + std::to_string(port),
                                       "--clients",    "40",        "--rate",
                                       "100",          "--between", "10000"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return {.argv = std::move(arguments)};
  }

  Address address_ = loopback(free_port());
  Process process_;
};

// The page's WebSocket. Fails at once if a tick is missing.
class Ticks {
 public:
  explicit Ticks(const PageDemo& demo) : client_(demo.address()) {
    client_.send("GET /page/ticks HTTP/1.1\r\nHost: " + demo.address().text() + "\r\nOrigin: " + demo.origin() +
                 "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    const std::string head = client_.read_through("\r\n\r\n");
    if (!head.starts_with("HTTP/1.1 101 ")) throw Failure("no WebSocket: " + head);
  }

  boost::json::object next() {
    const std::string head = client_.read_exactly(2);
    if (head[0] != '\x81') throw Failure("not a whole message of text");
    std::size_t length = static_cast<unsigned char>(head[1]);
    if (length == 126) {
      const std::string more = client_.read_exactly(2);
      length = static_cast<unsigned char>(more[0]) * 256u + static_cast<unsigned char>(more[1]);
    }
    const boost::json::object message = boost::json::parse(client_.read_exactly(length)).as_object();
    if (message.at("tick") != ++ticks_) throw Failure("a tick is missing: " + boost::json::serialize(message));
    return message.at("state").as_object();
  }

  // The first state that is so. Every one until then counts nothing dropped.
  boost::json::object await(const std::function<bool(const boost::json::object&)>& so) {
    const Deadline deadline(3 * wait_max);
    for (;;) {
      boost::json::object state = next();
      if (state.at("dropped") != 0) throw Failure("dropped: " + boost::json::serialize(state));
      if (so(state)) return state;
      if (deadline.passed()) throw Failure("the last state: " + boost::json::serialize(state));
    }
  }

  // Of the close frame.
  unsigned closing_code() {
    const std::string frame = client_.read_exactly(4);
    if (frame[0] != '\x88') throw Failure("not a close frame");
    return static_cast<unsigned char>(frame[2]) * 256u + static_cast<unsigned char>(frame[3]);
  }

 private:
  Client client_;
  int ticks_ = 0;
};

}  // namespace baton::harness
