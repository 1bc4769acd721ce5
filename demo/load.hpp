// All clients on one thread of their own.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "demo/client.hpp"
#include "demo/entrances.hpp"
#include "demo/tally.hpp"

namespace baton::demo {

// How many clients of each kind.
struct Mix {
  unsigned keep_alive = 0;
  unsigned idle = 0;
  unsigned half_head = 0;
  unsigned download = 0;
  unsigned slow_reader = 0;
  unsigned events = 0;
  unsigned upload = 0;
  unsigned websocket = 0;
  unsigned raw_tcp = 0;
  unsigned newcomers_per_second = 0;
  Microseconds pause{80'000};  // of a keep-alive client between two requests

  // Those that stay from first to last.
  unsigned clients() const {
    return keep_alive + idle + half_head + download + slow_reader + events + upload + websocket + raw_tcp;
  }

  // A handful of each kind of stream and tunnel, a tenth idle, a tenth with half a head, the rest asking at
  // `requests_per_second` together. At least one of each.
  static Mix of(unsigned clients, unsigned requests_per_second);

  // Without streams, tunnels and newcomers.
  Mix requests_only() const;
};

class Load {
 public:
  // Opens all connections to `server` at once. `tally` must outlive it.
  Load(const Entrances& server, const Mix& mix, Tally& tally);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Tells every client that an upgrade has ended.
  void upgrade_passed();

  // Asks every client for its last exchange; `unfinished` falls to 0 as they end; one that hears nothing
  // ends after SocketClient::patience.
  void finish();

  // Clients that are not over, as of a few dozen milliseconds ago.
  std::size_t unfinished() const { return unfinished_; }

 private:
  void watch();

  boost::asio::io_context context_{1};
  boost::asio::steady_timer watch_timer_{context_};
  std::vector<std::unique_ptr<Client>> clients_;
  std::atomic<std::size_t> unfinished_ = 0;
  std::thread thread_;
};

}  // namespace baton::demo
