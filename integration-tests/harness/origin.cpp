#include "harness/origin.hpp"

#include <sys/socket.h>

#include <algorithm>

#include "harness/answers.hpp"

namespace baton::harness {

namespace {

// A body above this is read but not kept with the recorded request.
constexpr std::size_t recorded_body_bytes_max = 1 << 20;
// Requests beyond these, under load, are answered but not kept.
constexpr std::size_t recorded_requests_max = 20'000;

}  // namespace

void Exchange::read_body() {
  if (body_read) return;
  body_read = true;
  read_request_body(stream, request);
  std::lock_guard lock(origin.mutex_);
  if (number < origin.requests_.size() && request.body.size() <= recorded_body_bytes_max)
    origin.requests_[number] = request;
}

void Exchange::respond(std::string_view body, std::string_view status, std::string_view fields) {
  stream.send("HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
              std::string(fields) + "\r\n" + std::string(request.method() == "HEAD" ? "" : body));
}

Origin::Origin(Address at) : address_(std::move(at)), listener_(listen_on(address_)), answers_(built_in_answers()) {
  acceptor_ = std::thread([this] { accept_all(); });
}

Origin::~Origin() {
  refuse();
  gate_.open();
  {
    std::lock_guard lock(mutex_);
    for (Connection& connection : connections_) connection.stream.shut_down();
  }
  for (Connection& connection : connections_) connection.thread.join();
}

void Origin::on(const std::string& path, Answer answer) {
  std::lock_guard lock(mutex_);
  answers_[path] = std::move(answer);
}

void Origin::on_raw(const std::string& path, std::string bytes) {
  on(path, [bytes = std::move(bytes)](Exchange& exchange) {
    exchange.stream.send_what_goes(bytes);
    exchange.close = true;
  });
}

std::vector<Request> Origin::requests() const {
  std::lock_guard lock(mutex_);
  return requests_;
}

Request Origin::last_request() const {
  std::lock_guard lock(mutex_);
  if (requests_.empty()) throw Failure("the origin has seen no request");
  return requests_.back();
}

std::size_t Origin::open_connections() const {
  std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count_if(connections_, [](const auto& c) { return !c.ended; }));
}

std::size_t Origin::bytes_sent() const {
  std::lock_guard lock(mutex_);
  std::size_t sum = 0;
  for (const Connection& connection : connections_) sum += connection.stream.bytes_sent();
  return sum;
}

void Origin::close_idle_connections() {
  // A client may have its whole answer before this side has recorded the request.
  await(
      [this] {
        std::lock_guard lock(mutex_);
        return std::ranges::count_if(connections_, [](const auto& c) { return !c.idle && !c.ended; }) ==
               gate_.waiting();
      },
      "the origin's answers to be complete");
  std::lock_guard lock(mutex_);
  for (Connection& connection : connections_)
    if (connection.idle && !connection.ended) connection.stream.shut_down();
}

void Origin::refuse() {
  if (!acceptor_.joinable()) return;
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  listener_.close();
}

void Origin::await_requests(std::size_t count) const {
  await(
      [&] {
        std::lock_guard lock(mutex_);
        return seen_ >= count;
      },
      std::to_string(count) + " requests at the origin");
}

void Origin::await_open_connections(std::size_t count) const {
  await([&] { return open_connections() == count; }, std::to_string(count) + " open connections at the origin");
}

void Origin::accept_all() {
  while (true) {
    Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket) return;
    ++accepted_;
    std::lock_guard lock(mutex_);
    Connection& connection = connections_.emplace_back(std::move(socket));
    connection.thread = std::thread([this, &connection] { serve(connection); });
  }
}

// A client that disconnects midway is not an error: the test checks its own side.
void Origin::serve(Connection& connection) {
  try {
    for (bool first = true; serve_one(connection, first); first = false) {
    }
  } catch (const Failure&) {
  }
  std::lock_guard lock(mutex_);
  connection.ended = true;
  connection.idle = false;
  connection.stream.close();
}

bool Origin::serve_one(Connection& connection, bool first) {
  if (!connection.stream.await_bytes_forever()) return false;
  {
    std::lock_guard lock(mutex_);
    connection.idle = false;
  }
  Exchange exchange{*this, connection.stream, Request{read_head(connection.stream)}};
  exchange.first_on_connection = first;
  const std::string target = exchange.request.target();
  Answer answer;
  {
    std::lock_guard lock(mutex_);
    exchange.number = seen_++;
    if (requests_.size() < recorded_requests_max) requests_.push_back(exchange.request);
    answer = answer_for(target.substr(0, target.find('?')));
  }
  answer(exchange);
  if (exchange.close) return false;
  exchange.read_body();
  std::lock_guard lock(mutex_);
  connection.idle = true;
  return true;
}

// The whole path, or else its first segment: "/bytes" answers "/bytes/100"; or else "*".
Answer Origin::answer_for(const std::string& path) const {
  if (auto found = answers_.find(path); found != answers_.end()) return found->second;
  if (auto found = answers_.find(path.substr(0, path.find('/', 1))); found != answers_.end()) return found->second;
  if (auto found = answers_.find("*"); found != answers_.end()) return found->second;
  return [](Exchange& exchange) { exchange.respond("no such path\n", "404 Not Found"); };
}

}  // namespace baton::harness
