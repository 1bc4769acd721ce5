// One client's connection to a proxy: sends requests and checks whole responses.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "loop.hpp"
#include "tls.hpp"

class Client;

// The requests that a command waits for.
class Batch {
 public:
  virtual ~Batch() = default;
  // The client may be gone after this.
  virtual void answered(Client& client) = 0;
  virtual void lost(Client& client) = 0;
};

class Client final : public Peer {
 public:
  // `tls`: nullptr for a plain connection.
  Client(Loop& loop, int fd, std::unique_ptr<Tls> tls) : Peer(fd), tls_(std::move(tls)) { loop.add(*this); }

  // The request must outlive its answer. With `close` the proxy must end the connection, too.
  void ask(std::string_view request, bool close, Batch& batch);
  // Since the last request was begun.
  std::chrono::steady_clock::duration elapsed() const { return std::chrono::steady_clock::now() - since_; }
  bool resumed() const { return tls_ && tls_->resumed(); }

  void on_events(std::uint32_t events) override;

 private:
  void send();
  bool receive();  // false: nothing has arrived
  void look_at_head();
  ssize_t receive_body();
  void count_body(std::size_t bytes);
  void finish();

  std::unique_ptr<Tls> tls_;
  std::chrono::steady_clock::time_point since_;
  Batch* batch_ = nullptr;  // null: idle
  std::string_view unsent_;
  std::string head_;
  std::size_t body_left_ = 0;
  bool closes_ = false;  // the response is complete only when the connection has ended, too
  bool done_ = false;
};
