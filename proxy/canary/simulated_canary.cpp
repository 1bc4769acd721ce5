#include "proxy/canary/simulated_canary.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

namespace baton::canary {

namespace {

double uniform(Random& random) {
  return static_cast<double>(random() >> 11) * 0x1p-53;
}

int poisson(double mean, Random& random) {
  return mean > 0 ? std::poisson_distribution<int>(mean)(random) : 0;
}

int binomial(int n, double chance, Random& random) {
  return n > 0 && chance > 0 ? std::binomial_distribution<int>(n, std::min(chance, 1.0))(random) : 0;
}

struct Simulation {
  const Scenario& scenario;
  Random& random;
  Share share{static_cast<std::uint16_t>(std::lround(scenario.share * 10'000))};
  Comparison comparison{share};

  double outage_at(double now_s) const {
    double fails = 0;
    for (const Scenario::Outage& outage : scenario.outages) {
      if (now_s >= outage.from_s && now_s < outage.to_s) fails = std::max(fails, outage.fails);
    }
    return fails;
  }

  Run run(auto&& tick) {
    const int ticks = static_cast<int>(std::lround(scenario.s * 10));
    for (int i = 0; i < ticks; ++i) {
      tick(i);
      if (comparison.judge(false) == Verdict::back) return result(Verdict::back, (i + 1) / 10.0);
    }
    return result(comparison.judge(true), scenario.s);
  }
  Run result(Verdict verdict, double s) const { return {verdict, s, comparison.canary(), comparison.others()}; }

  // Each exchange is of a new client, so all that is to be known is how many there are.
  Run of_new_clients() {
    state::CanarySide canary, others;
    const auto add = [this](state::CanarySide& side, double mean, double fails) {
      const int exchanges = poisson(mean, random);
      side.exchanges += static_cast<std::uint64_t>(exchanges);
      side.exposures = side.exchanges;
      side.clients_failed += static_cast<std::uint64_t>(binomial(exchanges, fails, random));
    };
    return run([&](int tick) {
      const double now_s = tick / 10.0, outage = outage_at(now_s);
      const double moved = scenario.ramp_s > 0 ? std::min(1.0, now_s / scenario.ramp_s) : 1;
      const double part = share.fraction() * moved;
      add(canary, scenario.exchanges_per_s / 10 * part, std::max(outage, scenario.canary_fails));
      add(others, scenario.exchanges_per_s / 10 * (1 - part), std::max(outage, scenario.others_fail));
      comparison.look(canary, others);
    });
  }

  Run of_clients() {
    const std::size_t count = scenario.clients.size();
    std::vector<double> sums(count);  // of their rates
    std::vector<std::uint64_t> hashes(count);
    std::vector<double> moves_s(count);
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
      sums[i] = sum += scenario.clients[i].exchanges_per_s;
      hashes[i] = random();
      moves_s[i] = share.has(hashes[i]) ? uniform(random) * scenario.ramp_s : scenario.s;
    }
    const auto canary = std::make_unique<Tally>(), others = std::make_unique<Tally>();
    return run([&](int tick) {
      const double now_s = tick / 10.0, outage = outage_at(now_s);
      for (int exchanges = poisson(sum / 10, random); exchanges > 0; --exchanges) {
        const auto at = std::upper_bound(sums.begin(), sums.end() - 1, uniform(random) * sum) - sums.begin();
        const auto i = static_cast<std::size_t>(at);
        const bool is_canarys = moves_s[i] <= now_s;
        const double fails = scenario.clients[i].fails * (is_canarys ? scenario.canary_fails : scenario.others_fail);
        (is_canarys ? canary : others)->note(hashes[i], uniform(random) < std::max(outage, fails), tick * tick_ms);
      }
      comparison.look(canary->counts(), others->counts());
    });
  }
};

}  // namespace

Run simulate(const Scenario& scenario, Random& random) {
  Simulation simulation{scenario, random};
  return scenario.clients.empty() ? simulation.of_new_clients() : simulation.of_clients();
}

std::vector<Client> pareto_clients(int count, double exchanges_per_s, Random& random) {
  std::vector<Client> clients(static_cast<std::size_t>(count));
  double sum = 0;
  for (Client& client : clients) {
    client.exchanges_per_s = std::min(1000.0, 1 / (1 - uniform(random)));
    sum += client.exchanges_per_s;
  }
  for (Client& client : clients) client.exchanges_per_s *= exchanges_per_s / sum;
  return clients;
}

}  // namespace baton::canary
