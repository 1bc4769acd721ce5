// Keeps opening new connections, also during upgrades; with TLS each begins with a handshake. Each sends one request,
// verifies the answer and closes. None may be refused, reset or forgotten in a queue.
#pragma once

#include <memory>
#include <vector>

#include "demo/http_client.hpp"
#include "demo/ticker.hpp"

namespace baton::demo {

class Newcomers final : public Client {
 public:
  // Their numbers begin after `number`. `context` and `account` must outlive it.
  Newcomers(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account,
            unsigned per_second);

  void start() override;
  void check(Clock::time_point now) override;
  void rest(bool begins) override { is_told_to_rest_ = begins; }
  bool rests() const override { return is_told_to_rest_ && here_.empty(); }
  void finish() override;
  bool over() const override { return finished_ && here_.empty(); }
  std::uint64_t moved_bytes() const override { return moved_bytes_; }

 private:
  void welcome();

  boost::asio::io_context& context_;  // outlives it
  Entrance server_;
  unsigned number_;
  Account& account_;  // outlives it
  Microseconds interval_;
  Ticker ticker_;
  bool is_told_to_rest_ = false;
  bool finished_ = false;
  std::vector<std::unique_ptr<HttpClient>> here_;
  std::uint64_t moved_bytes_ = 0;  // of clients that have ended
};

}  // namespace baton::demo
