// What the clients have seen, kind by kind. They write to it from the load's thread; the scoreboard and the verdict
// read it from theirs.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "demo/kind.hpp"
#include "demo/latency.hpp"

namespace baton::demo {

// What ends a client. Each client has at most one trouble, for it never reconnects.
enum class Trouble : std::uint8_t {
  not_connected,      // the connection could not be opened
  closed_between,     // closed by the server while nothing was under way
  closed_in_request,  // closed by the server with a request, half of one, a stream or a tunnel under way
  wrong_answer,       // not byte for byte what was asked for, or bytes that nobody asked for
  no_answer,          // none within the time that a client waits
};
inline constexpr std::size_t troubles = 5;

// A copy of the counters at one moment.
struct Totals {
  std::uint64_t started = 0;   // clients
  std::uint64_t opened = 0;    // connections
  std::uint64_t answered = 0;  // answers, events or messages that were verified
  std::uint64_t bytes = 0;     // of downloads and uploads, as far as they are verified or sent
  std::uint64_t proven = 0;    // clients whose connection was alive and right to their end
  std::array<std::uint64_t, troubles> trouble{};

  std::uint64_t of(Trouble kind) const { return trouble[static_cast<std::size_t>(kind)]; }
  std::uint64_t closes() const { return of(Trouble::closed_between) + of(Trouble::closed_in_request); }
  std::uint64_t errors() const {
    return of(Trouble::not_connected) + of(Trouble::wrong_answer) + of(Trouble::no_answer);
  }

  Totals& operator+=(const Totals& other);
};

using TotalsByKind = std::array<Totals, kinds>;
inline const Totals& of(const TotalsByKind& totals, Kind kind) {
  return totals[static_cast<std::size_t>(kind)];
}

// All kinds together.
Totals sum(const TotalsByKind& totals);

class Tally;

// One kind's part of the tally.
class Account {
 public:
  Account(Tally& tally, Kind kind) : tally_(tally), kind_(kind) {}

  void add_started() { ++started_; }
  void add_opened() { ++opened_; }
  void add_answered() { ++answered_; }
  void add_answered(Microseconds latency);
  void add_bytes(std::uint64_t bytes) { bytes_ += bytes; }
  void add_proven() { ++proven_; }

  // `what` is one line for people; the first few of all kinds are kept.
  void add_trouble(Trouble trouble, std::string_view what);

  Totals totals() const;

 private:
  Tally& tally_;  // holds this account
  Kind kind_;
  std::atomic<std::uint64_t> started_ = 0;
  std::atomic<std::uint64_t> opened_ = 0;
  std::atomic<std::uint64_t> answered_ = 0;
  std::atomic<std::uint64_t> bytes_ = 0;
  std::atomic<std::uint64_t> proven_ = 0;
  std::array<std::atomic<std::uint64_t>, troubles> trouble_{};
};

class Tally {
 public:
  Tally();
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;

  Account& account(Kind kind) { return accounts_[static_cast<std::size_t>(kind)]; }

  TotalsByKind by_kind() const;
  Totals totals() const { return sum(by_kind()); }
  Totals totals(Kind kind) const { return accounts_[static_cast<std::size_t>(kind)].totals(); }

  // Of requests that are answered at once.
  LatencySpread latency() const { return latency_.spread(); }
  std::vector<std::string> complaints() const;

 private:
  friend class Account;
  std::array<Account, kinds> accounts_;
  LatencyRecorder latency_;
  mutable std::mutex complaints_mutex_;
  std::vector<std::string> complaints_;
};

}  // namespace baton::demo
