// A canary in simulated time, judged by the product's Tally and Comparison at each look, every 100 ms.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "proxy/canary/comparison.hpp"
#include "proxy/canary/tally.hpp"

namespace baton::canary {

// Clients that come again; without any, each exchange is of a new client.
struct Client {
  double exchanges_per_s = 0;
  double fails = 1;  // how much more often than usual
};

struct Scenario {
  double share = 0.05;
  double exchanges_per_s = 600;
  std::vector<Client> clients = {};
  double s = 30;            // how long it bakes
  double ramp_s = 0;        // within this time, the clients of the share move, one after another
  double canary_fails = 0;  // chance of an exchange
  double others_fail = 0;
  struct Outage {
    double from_s = 0, to_s = 0;
    double fails = 1;  // chance of an exchange, on both sides
  };
  std::vector<Outage> outages = {};
};

struct Run {
  Verdict verdict = Verdict::wait;  // `back`: at `found_s`; otherwise, once baked
  double found_s = 0;
  state::CanarySide canary, others;
};

using Random = std::mt19937_64;

Run simulate(const Scenario& scenario, Random& random);

// As many clients, whose activity spreads over three orders of magnitude (Pareto), with that many exchanges in all.
std::vector<Client> pareto_clients(int count, double exchanges_per_s, Random& random);

}  // namespace baton::canary
