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

// One client's view: its random choices, and the run it takes part in.
class Life {
 public:
  Life(Course& course, Address address, std::atomic<std::size_t>& opened, std::uint32_t seed)
      : course_(course), address_(std::move(address)), opened_(opened), random_(seed) {}

  // A new connection, which is counted.
  Client connect() {
    ++opened_;
    return Client(address_);
  }
  TlsClient connect(const TlsOptions& options) {
    ++opened_;
    return TlsClient(address_, options);
  }

  // From 0 to `below` - 1, with equal probability.
  std::size_t any(std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_); }
  bool one_in(std::size_t number) { return any(number) == 0; }

  Course& course() { return course_; }
  bool await_upgrade() { return course_.await_upgrade(upgrades_seen_); }
  void linger_at_most(std::size_t ms) { course_.linger(std::chrono::milliseconds(any(ms + 1))); }

 private:
  Course& course_;  // outlives the client
  Address address_;
  std::atomic<std::size_t>& opened_;
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

  std::size_t opened() const { return opened_; }

 private:
  Course& course_;  // outlives the crew
  std::mt19937 seeds_;
  std::atomic<std::size_t> opened_ = 0;
  std::mutex mutex_;  // guards complaints_
  std::vector<std::string> complaints_;
  std::list<std::thread> threads_;
};

}  // namespace baton::harness
