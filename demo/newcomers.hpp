// Opens a new connection again and again, also in the middle of upgrades. Each asks once, verifies the answer and
// closes; not one may be refused, reset or forgotten in a queue.
#pragma once

#include <memory>
#include <vector>

#include "demo/http_client.hpp"
#include "demo/ticker.hpp"

namespace baton::demo {

class Newcomers final : public Client {
 public:
  // `context` and `account` must outlive it.
  Newcomers(boost::asio::io_context& context, boost::asio::ip::tcp::endpoint server, unsigned per_second,
            Account& account);

  void start() override;
  void check(Clock::time_point now) override;
  void finish() override;
  bool over() const override { return finished_ && here_.empty(); }

 private:
  void welcome();

  boost::asio::io_context& context_;  // outlives it
  boost::asio::ip::tcp::endpoint server_;
  Microseconds interval_;
  Account& account_;  // outlives it
  Ticker ticker_;
  unsigned number_ = 0;
  bool finished_ = false;
  std::vector<std::unique_ptr<HttpClient>> here_;
  std::vector<std::unique_ptr<HttpClient>> gone_;  // kept for one more round: handlers may still name them
};

}  // namespace baton::demo
