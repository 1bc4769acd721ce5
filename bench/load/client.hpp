// One client's connection to a proxy: sends requests and checks whole responses.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "http2.hpp"
#include "loop.hpp"
#include "tls.hpp"

struct Resource {
  std::string path = "/";
  std::string host = "127.0.0.1:8080";
};

// Of /large, of /until-close, which has no Content-Length, and of the request for /upload.
inline constexpr std::size_t large_bytes = 1024 * 1024;

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
  // `tls`: nullptr for a plain connection; `http2`: nullptr for HTTP/1.1.
  Client(Loop& loop, int fd, std::unique_ptr<Tls> tls, std::unique_ptr<Http2> http2)
      : Peer(fd), loop_(loop), tls_(std::move(tls)), http2_(std::move(http2)) {
    loop_.add(*this);
  }

  // `request`: the text of a request for this in HTTP/1.1. Both must outlive the answer. With `close` the proxy must
  // end the connection, too.
  void ask(const Resource& resource, std::string_view request, bool close, Batch& batch);
  // Since the last request was begun.
  std::chrono::steady_clock::duration elapsed() const { return std::chrono::steady_clock::now() - since_; }
  bool resumed() const { return tls_ && tls_->resumed(); }

  void on_events(std::uint32_t events) override;

 private:
  void send();
  bool receive();  // false: nothing has arrived
  void take_frames(std::string_view bytes);
  void look_at_head();
  ssize_t receive_body();
  void count_body(std::size_t bytes);
  void finish();

  Loop& loop_;
  std::unique_ptr<Tls> tls_;
  std::unique_ptr<Http2> http2_;
  std::string frames_;  // of HTTP/2, to be sent
  std::chrono::steady_clock::time_point since_;
  Batch* batch_ = nullptr;  // null: idle
  std::string_view unsent_;
  std::string head_;
  std::size_t body_left_ = 0;
  bool waits_for_room_ = false;  // in its socket
  bool closes_ = false;  // the response is complete only when the connection has ended, too
  bool done_ = false;
};
