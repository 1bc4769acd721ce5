// All clients on one thread of their own.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "demo/client.hpp"
#include "demo/tally.hpp"

namespace baton::demo {

// How many clients of each kind.
struct Mix {
  unsigned steady = 0;
  unsigned idle = 0;
  unsigned half_head = 0;
  Microseconds pause{80'000};  // of a steady client between two requests

  unsigned clients() const { return steady + idle + half_head; }

  // A tenth idle, a tenth with half a head, the rest steady at `requests_per_second` together.
  static Mix of(unsigned clients, unsigned requests_per_second);
};

class Load {
 public:
  // Opens all connections to `server` at once. `tally` must outlive it.
  Load(boost::asio::ip::tcp::endpoint server, const Mix& mix, Tally& tally);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Tells every client that an upgrade has ended.
  void upgrade_passed();

  // Asks every client for its last exchange; `unfinished` falls to 0 as they end, in HttpClient::patience at most.
  void finish();

  // Clients that are not over, as of a few dozen milliseconds ago.
  std::size_t unfinished() const { return unfinished_; }

 private:
  void watch();

  boost::asio::io_context context_{1};
  boost::asio::steady_timer watch_timer_{context_};
  std::vector<std::unique_ptr<Client>> clients_;
  std::atomic<std::size_t> unfinished_;
  std::thread thread_;
};

}  // namespace baton::demo
