// Asks, waits a little, asks again: most of the load.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include "demo/http_client.hpp"

namespace baton::demo {

class SteadyClient : public HttpClient {
 public:
  // `pause`: from an answer to the next request, plus or minus half of it.
  SteadyClient(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account,
               Microseconds pause);

 private:
  void on_open() final;
  void on_answer() final;
  void ask_later(Microseconds wait);

  Microseconds pause_;
  boost::asio::steady_timer timer_;
  std::uint32_t varied_;  // state of a small generator that keeps clients out of lockstep
};

}  // namespace baton::demo
