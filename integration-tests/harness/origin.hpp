// A scriptable HTTP origin inside the test: one blocking thread for each connection, answers chosen by path
// (harness/answers.hpp lists those that are always there).
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "harness/address.hpp"
#include "harness/gate.hpp"
#include "harness/message.hpp"
#include "harness/stream.hpp"

namespace baton::harness {

class Origin;

// One request on its connection. An answer reads the body itself (`read_body`), or leaves it to be read afterwards.
struct Exchange {
  Origin& origin;  // outlives every exchange
  Stream& stream;
  Request request;
  std::size_t number = 0;  // of this request among all that the origin has received
  bool first_on_connection = true;
  bool close = false;  // set by the answer: end the connection after it
  bool body_read = false;

  void read_body();
  // Sends status line, Content-Length and body at once.
  void respond(std::string_view body, std::string_view status = "200 OK", std::string_view fields = "");
};

using Answer = std::function<void(Exchange&)>;

class Origin {
 public:
  Origin() : Origin(loopback(0)) {}
  explicit Origin(Address at);
  ~Origin();
  Origin(const Origin&) = delete;
  Origin& operator=(const Origin&) = delete;

  const Address& address() const { return address_; }

  // From now on answers `path` (without a query) with this instead of the built-in answer; "*" are all
  // paths that have none.
  void on(const std::string& path, Answer answer);
  // The same with raw bytes, after which the connection ends with FIN.
  void on_raw(const std::string& path, std::string bytes);

  Gate& gate() { return gate_; }

  // Requests whose head has arrived, in order, with the bodies that answers have read. Only the first 20,000.
  std::vector<Request> requests() const;
  Request last_request() const;
  std::size_t accepted() const { return accepted_; }
  std::size_t open_connections() const;
  std::size_t bytes_sent() const;

  // Closes (FIN) every connection on which no request is being answered. Waits for answers in progress, except those at
  // the gate. There must be no upgraded connection.
  void close_idle_connections();
  // Stops listening: further connects are refused. Existing connections continue.
  void refuse();

  void await_requests(std::size_t count) const;
  void await_open_connections(std::size_t count) const;

 private:
  friend struct Exchange;

  struct Connection {
    Stream stream;
    bool idle = true;  // both guarded by the origin's mutex
    bool ended = false;
    std::thread thread;
    explicit Connection(Fd socket) : stream(std::move(socket)) { stream.be_patient(); }
  };

  void accept_all();
  void serve(Connection& connection);
  bool serve_one(Connection& connection, bool first);
  Answer answer_for(const std::string& path) const;

  Address address_;
  Fd listener_;
  Gate gate_;
  std::atomic<std::size_t> accepted_ = 0;
  mutable std::mutex mutex_;
  std::map<std::string, Answer> answers_;
  std::vector<Request> requests_;
  std::size_t seen_ = 0;  // requests, recorded or not
  std::list<Connection> connections_;
  std::thread acceptor_;
};

}  // namespace baton::harness
