// A connection run without I/O, for tests: a scripted client and scripted upstream connections on either side of the
// engine, run as proxy/worker/connection_turn.cpp runs it.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/engine/engine.hpp"
#include "proxy/state/state.hpp"

namespace baton::engine {

// One event outside the engine.
struct Step {
  enum class What {
    client_sends, client_ends, client_resets, upstream_sends, upstream_ends, upstream_resets, upstream_takes_no_more,
    connected, deadline,
  } what;
  std::string bytes;
};
using Script = std::vector<Step>;

inline Step client(std::string bytes) { return {Step::What::client_sends, std::move(bytes)}; }
inline Step upstream(std::string bytes) { return {Step::What::upstream_sends, std::move(bytes)}; }
inline const Step client_ends{Step::What::client_ends, {}};
inline const Step client_resets{Step::What::client_resets, {}};
inline const Step upstream_ends{Step::What::upstream_ends, {}};
inline const Step upstream_resets{Step::What::upstream_resets, {}};
inline const Step upstream_takes_no_more{Step::What::upstream_takes_no_more, {}};
inline const Step connected{Step::What::connected, {}};
inline const Step deadline{Step::What::deadline, {}};

// The result of each attempt to find a server; after the last, `fresh`.
enum class Attempt { fresh, pooled, refused, timed_out, late };

// What is observable of a connection from outside.
struct Seen {
  enum class End { open, closed, reset };

  struct Upstream {
    std::string received;
    enum class Fate { open, ended, parked, closed, cut } fate = Fate::open;    // closed: cleanly
    std::string route{};
    bool operator==(const Upstream&) const = default;
  };

  std::string client;                        // what the client has received
  bool client_ended = false;                 // and then our FIN
  End end = End::open;
  std::vector<Upstream> upstreams;           // in the order in which they were connected
  std::vector<std::uint16_t> statuses;       // of the exchanges, as they were logged
  bool operator==(const Seen&) const = default;
};

// When the state is encoded, discarded and decoded.
enum class Freezing { never, always };

class Dialogue {
 public:
  explicit Dialogue(Freezing freezing = Freezing::never);

  Rules rules;
  unsigned servers = 1;
  routing::RetryBudget* retry_budget = nullptr;
  bool closing = false;
  const routing::RouteTable* routes = nullptr;
  const routing::ClientRules* clients = nullptr;
  const routing::TrustedProxies* trusted = nullptr;
  std::deque<Attempt> attempts;
  bool maintenance = false;
  bool (*certificate_covers)(const void* client, std::string_view host) = nullptr;
  std::int64_t now_ms = 1'000'000;
  std::int64_t unix_us = 0;                  // no clock: no Date in what is passed on

  // A reload: from now on these routes.
  void reconfigure(const routing::RouteTable& to);
  // The answer to the engine's question.
  void verified(http1::Verdict verdict);
  // The credentials that the engine has asked about, in order.
  const std::vector<std::string>& questions() const { return questions_; }
  // Applies the step and runs the connection until nothing is left to do.
  void take(const Step& step);
  Seen play(const Script& script);

  const Seen& seen() const { return seen_; }
  const state::ConnectionState& state() const { return state_; }
  const std::vector<state::Exchange>& logged() const { return logged_; }
  std::uint64_t fields_dropped() const { return scratch_.fields_dropped; }
  std::int64_t deadline_ms() const { return engine::deadline_ms(state_, rules_now()); }
  // Of the exchange's route, or `rules`.
  const Rules& rules_now() const { return route_ != nullptr ? route_->rules : rules; }
  // False: the client stops reading; true: it reads again.
  bool client_reads = true;
  bool upstream_reads = true;

 private:
  Context context();
  void look_up_route();
  void freeze();
  bool over() const { return seen_.end != Seen::End::open; }
  void run();
  void check_rest();
  bool read();
  bool write();
  void obey(Action action);
  Action connect();
  Action attach(bool reused);
  void log();
  void drop_upstream(Seen::Upstream::Fate fate);

  const Freezing freezing_;
  http1::Scratch scratch_;
  state::ConnectionState state_;
  Seen seen_;
  std::vector<state::Exchange> logged_;
  const routing::Route* route_ = nullptr;  // of the exchange
  bool connecting_ = false;
  std::vector<std::string> questions_;
  bool asking_ = false;
  http1::Verdict verdict_ = http1::Verdict::none;
  std::string from_client_;                  // sent and not yet read
  bool client_has_ended_ = false;
  bool client_has_reset_ = false;
  std::string from_upstream_;
  bool upstream_has_ended_ = false;
  bool upstream_has_reset_ = false;
};

}  // namespace baton::engine
