// What the clients have seen, by group. They write to it from the load's thread; the scoreboard and the verdict read it
// from theirs.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "demo/groups.hpp"
#include "demo/latency.hpp"

namespace baton::demo {

// What ends a client. A client has at most one trouble, since it never reconnects.
enum class Trouble : std::uint8_t {
  not_connected,      // the connection could not be opened
  closed_between,     // closed by the server with nothing in progress
  closed_in_request,  // closed by the server during a request, half of one, a stream or a tunnel
  wrong_answer,       // not byte for byte as expected, or unsolicited bytes
  no_answer,          // none within the client's time limit
  reset_by_crash,     // reset while a crash could be the reason
};
inline constexpr std::size_t troubles = 6;

// A copy of the counters at one moment.
struct Totals {
  std::uint64_t started = 0;   // clients
  std::uint64_t opened = 0;    // connections
  std::uint64_t answered = 0;  // answers, events or messages that were verified
  std::uint64_t bytes = 0;     // of downloads and uploads, as far as they are verified or sent
  std::uint64_t proven = 0;    // clients whose connection was alive and correct to the end
  std::array<std::uint64_t, troubles> trouble{};

  std::uint64_t of(Trouble kind) const { return trouble[static_cast<std::size_t>(kind)]; }
  std::uint64_t closes() const {
    return of(Trouble::closed_between) + of(Trouble::closed_in_request) + of(Trouble::reset_by_crash);
  }
  std::uint64_t errors() const {
    return of(Trouble::not_connected) + of(Trouble::wrong_answer) + of(Trouble::no_answer);
  }
  // Connections that are open now.
  std::uint64_t live() const;

  Totals& operator+=(const Totals& other);
};

using TotalsByGroup = std::array<Totals, groups>;
inline const Totals& of(const TotalsByGroup& totals, Group group) {
  return totals[index_of(group)];
}

// All groups together; all of a kind.
Totals sum(const TotalsByGroup& totals);
Totals sum(const TotalsByGroup& totals, Kind kind);

class Tally;

// One group's part of the tally.
class Account {
 public:
  Account(Tally& tally, Group group) : tally_(tally), group_(group) {}

  void add_started() { ++started_; }
  void add_opened() { ++opened_; }
  void add_answered() { ++answered_; }
  void add_answered(Microseconds latency);
  void add_bytes(std::uint64_t bytes) { bytes_ += bytes; }
  void add_proven() { ++proven_; }

  // `what` is one line for humans; only the first few are kept.
  void add_trouble(Trouble trouble, std::string_view what);

  // A connection may be reset now.
  bool crash_goes_on() const;

  Totals totals() const;

 private:
  Tally& tally_;  // holds this account
  Group group_;
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

  Account& account(Group group) { return accounts_[index_of(group)]; }

  TotalsByGroup by_group() const;
  Totals totals() const { return sum(by_group()); }
  // Connections that were opened to last. Newcomers, which keep arriving, are not among them.
  std::uint64_t lasting_opened() const;
  Totals totals(Group group) const { return accounts_[index_of(group)].totals(); }

  // From before a crash until every client has shown that it is alive, or has ended.
  void note_crash(bool goes_on) { crash_goes_on_ = goes_on; }

  // Of requests that are answered at once.
  LatencySpread latency() const { return latency_.spread(); }
  std::vector<std::string> complaints() const;

 private:
  friend class Account;
  std::array<Account, groups> accounts_;
  LatencyRecorder latency_;
  std::atomic<bool> crash_goes_on_ = false;
  mutable std::mutex complaints_mutex_;
  std::vector<std::string> complaints_;
};

}  // namespace baton::demo
