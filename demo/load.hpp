// All clients on one thread of their own.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
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
  unsigned http2 = 0;
  unsigned grpc = 0;
  unsigned raw_tcp = 0;
  unsigned newcomers_per_second = 0;
  Microseconds pause{80'000};  // between two requests of a keep-alive client, or of one stream of HTTP/2

  // Clients whose connections last for the whole demo.
  unsigned clients() const;

  // A handful of each kind of stream and tunnel, a tenth idle, a tenth with half a head; the rest send
  // `requests_per_second` together. At least one of each.
  static Mix of(unsigned clients, unsigned requests_per_second);

  // Without streams, tunnels and newcomers.
  Mix requests_only() const;
};

// The clients of one transport, and where they connect.
struct Crowd {
  Transport transport = Transport::plain;
  Entrances server;
  Mix mix;
};

// A quarter of the clients over TLS 1.3, an eighth over TLS 1.2, the rest plain; clients of every kind in each.
std::array<Mix, transports> mix_by_transport(unsigned clients, unsigned requests_per_second);

unsigned clients(const std::array<Mix, transports>& mix);
unsigned newcomers_per_second(const std::array<Mix, transports>& mix);

std::vector<Crowd> crowds(const std::array<Mix, transports>& mix, const EntrancesByTransport& servers);

class Load {
 public:
  // Opens all connections at once. `tally` must outlive it.
  Load(const std::vector<Crowd>& crowds, Tally& tally);

  // The same of other clients, which `make` makes.
  using Maker = std::function<std::vector<std::unique_ptr<Client>>(boost::asio::io_context&)>;
  explicit Load(const Maker& make);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Tells every client that an upgrade has ended.
  void upgrade_passed();

  // Asks every client for its last exchange. `unfinished` falls to 0 as they end; one that gets no answer ends after
  // `hung_after`.
  void finish();

  // Pauses the newcomers, or lets them connect again. `at_rest` becomes true when none has a connection.
  void rest(bool begins);
  bool at_rest() const { return resting_ == newcomers_; }

  // Asks every client to show that its connection is alive. `silent` falls to 0 as each receives something more, ends,
  // or rests.
  void ask();
  std::size_t silent() const { return silent_; }
  std::uint64_t moved_bytes() const { return moved_bytes_; }

  // The number of clients that are not over yet, a few dozen milliseconds old.
  std::size_t unfinished() const { return unfinished_; }

 private:
  void begin();
  void add(const Crowd& crowd, Tally& tally);
  void watch();

  boost::asio::io_context context_{1};
  boost::asio::steady_timer watch_timer_{context_};
  std::vector<std::unique_ptr<Client>> clients_;
  std::size_t newcomers_ = 0;                // clients of this kind
  std::vector<std::uint64_t> moved_before_;  // of each client, when it was asked to show that it is alive
  std::atomic<std::size_t> unfinished_ = 0;
  std::atomic<std::size_t> resting_ = 0;
  std::atomic<std::size_t> silent_ = 0;
  std::atomic<std::uint64_t> moved_bytes_ = 0;
  std::thread thread_;
};

}  // namespace baton::demo
