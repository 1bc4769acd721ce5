// Clients that each use one connection for a whole run, in a thread of their own, and compare every byte.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "harness/client.hpp"
#include "harness/tls_client.hpp"
#include "scale/course.hpp"

namespace baton::harness {

struct Connections {
  std::atomic<std::size_t> opened = 0;
  std::atomic<std::size_t> established = 0;  // on both sides, for all that clients can know
};

// One client's view: its random choices, and the run it takes part in.
class Life {
 public:
  Life(Course& course, Address address, Connections& connections, std::uint32_t seed)
      : course_(course), address_(std::move(address)), connections_(connections), random_(seed) {}

  // A new connection, which is counted; with TLS, its handshake is to be done.
  Client connect() {
    ++connections_.opened;
    return Client(address_);
  }
  TlsClient connect(const TlsOptions& options) {
    ++connections_.opened;
    return TlsClient(address_, options, TlsClient::Handshake::later);
  }
  // With TLS, the other side's handshake is over once it has answered.
  void note_established() { ++connections_.established; }

  // From 0 to `below` - 1, with equal probability.
  std::size_t any(std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_); }
  bool one_in(std::size_t number) { return any(number) == 0; }

  Course& course() { return course_; }
  bool await_upgrade() { return course_.await_upgrade(upgrades_seen_); }
  void linger_at_most(std::size_t ms) { course_.linger(std::chrono::milliseconds(any(ms + 1))); }

 private:
  Course& course_;  // outlives the client
  Address address_;
  Connections& connections_;
  std::mt19937 random_;
  std::size_t upgrades_seen_ = 0;
};

// Lives until the run ends, then proves that its connection is alive, and returns. Throws Failure if anything is wrong.
using Habit = std::function<void(Life&)>;

class Crew {
 public:
  Crew(Course& course, std::uint32_t seed) : course_(course), seeds_(seed) {}
  ~Crew() { finish(); }

  void add(std::size_t count, const std::string& name, const Address& address, const Habit& habit);

  // No client has complained so far.
  bool is_content() {
    std::lock_guard lock(mutex_);
    return complaints_.empty();
  }
  // Ends the run and waits for all clients; returns what was wrong, one line each.
  std::vector<std::string> finish();

  std::size_t size() const { return threads_.size(); }
  std::size_t opened() const { return connections_.opened; }
  std::size_t established() const { return connections_.established; }

 private:
  Course& course_;  // outlives the crew
  std::mt19937 seeds_;
  Connections connections_;
  std::mutex mutex_;  // guards complaints_
  std::vector<std::string> complaints_;
  std::list<std::thread> threads_;
};

}  // namespace baton::harness
