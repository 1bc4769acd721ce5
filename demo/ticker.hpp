// Calls a function again and again at an even pace, on the loop's thread, until it is stopped or destroyed.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <utility>

#include "demo/latency.hpp"

namespace baton::demo {

// Of clients that talk all the time.
inline constexpr Microseconds message_interval{10'000};

class Ticker {
 public:
  explicit Ticker(boost::asio::io_context& context) : timer_(context) {}

  // `tick` may call `stop`; what it captures must outlive the loop's run.
  void start(Microseconds interval, std::function<void()> tick) {
    interval_ = interval;
    tick_ = std::move(tick);
    running_ = true;
    timer_.expires_after(interval_);
    wait();
  }

  void stop() {
    running_ = false;
    timer_.cancel();
  }

 private:
  void wait() {
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error || !running_) return;
      tick_();
      if (!running_) return;
      timer_.expires_at(timer_.expiry() + interval_);
      wait();
    });
  }

  boost::asio::steady_timer timer_;
  Microseconds interval_{};
  std::function<void()> tick_;
  bool running_ = false;
};

}  // namespace baton::demo
