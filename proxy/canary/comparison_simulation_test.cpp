// How often a canary is accused falsely, how soon a bad one is found, and what becomes of the others: the product's own
// comparison in simulated time. Everything follows from seeds, and what is measured keeps away from the limits, so that
// another standard library may draw other numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "proxy/canary/simulated_canary.hpp"

namespace baton::canary {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_sanitized = true;
#elif defined(__has_feature)
constexpr bool is_sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool is_sanitized = false;
#endif

// Of all the runs of a case.
struct Results {
  int runs = 0;
  int back = 0, go_on = 0, doubt = 0;
  double median_found_s = 0;

  double part(int count) const { return static_cast<double>(count) / runs; }
};

// `scenario` makes one for each run.
Results simulate_made(const char* name, int runs, const std::function<Scenario(Random&)>& scenario) {
  Random random(20240607);
  Results results{.runs = is_sanitized ? 1 + runs / 5 : runs};
  std::vector<double> found_s;
  for (int i = 0; i < results.runs; ++i) {
    const Run run = simulate(scenario(random), random);
    results.back += run.verdict == Verdict::back ? 1 : 0;
    results.go_on += run.verdict == Verdict::go_on ? 1 : 0;
    results.doubt += run.verdict == Verdict::doubt ? 1 : 0;
    if (run.verdict == Verdict::back) found_s.push_back(run.found_s);
  }
  std::ranges::sort(found_s);
  if (!found_s.empty()) results.median_found_s = found_s[found_s.size() / 2];
  std::printf("%-62s %5d runs: back %5.2f %% (median %5.1f s), go on %5.1f %%, doubt %5.1f %%\n", name, results.runs,
              100 * results.part(results.back), results.median_found_s, 100 * results.part(results.go_on),
              100 * results.part(results.doubt));
  return results;
}

Results simulate_runs(const char* name, int runs, const Scenario& scenario) {
  return simulate_made(name, runs, [&](Random&) { return scenario; });
}

// Ville's inequality: a chance of at most 1 %, and less since the evidence leaps over its limit. Of that many runs,
// three standard deviations more may be back.
void expect_few_false_alarms(const Results& results) {
  const double expected_max = 0.01 * results.runs;
  EXPECT_LE(results.back, expected_max + 3 * std::sqrt(expected_max));
}

std::vector<Client> alike_clients(int count, double exchanges_per_s) {
  return std::vector<Client>(static_cast<std::size_t>(count), {.exchanges_per_s = exchanges_per_s / count});
}

Scenario failing_alike(double fails, double s) {
  return {.s = s, .canary_fails = fails, .others_fail = fails};
}

TEST(SimulatedCanary, IsSeldomAccusedIfBothAreAlike) {
  for (const double fails : {0.001, 0.01, 0.05}) {
    const std::string rate = std::to_string(fails * 100).substr(0, 3) + " %";
    expect_few_false_alarms(simulate_runs(("alike, " + rate + ", 30 s").c_str(), 3000, failing_alike(fails, 30)));
    expect_few_false_alarms(simulate_runs(("alike, " + rate + ", 5 min").c_str(), 500, failing_alike(fails, 300)));
    Scenario kept = failing_alike(fails, 30);
    kept.clients = alike_clients(2000, 600);
    expect_few_false_alarms(simulate_runs(("alike, " + rate + ", 2,000 clients, 30 s").c_str(), 500, kept));
  }
  Scenario half = failing_alike(0.01, 30);
  half.share = 0.5;
  expect_few_false_alarms(simulate_runs("alike, 1 %, half of the clients, 30 s", 3000, half));
}

TEST(SimulatedCanary, IsFoundWithinSecondsIfItFailsThirtyTimesAsOften) {
  Scenario scenario{.canary_fails = 0.03, .others_fail = 0.001};
  Results results = simulate_runs("0.1 % -> 3 %", 3000, scenario);
  EXPECT_EQ(results.back, results.runs);
  EXPECT_LT(results.median_found_s, 4);
  scenario.clients = alike_clients(2000, 600);
  results = simulate_runs("0.1 % -> 3 %, 2,000 clients", 500, scenario);
  EXPECT_EQ(results.back, results.runs);
  scenario.ramp_s = 5;
  results = simulate_runs("0.1 % -> 3 %, 2,000 clients that come within 5 s", 500, scenario);
  EXPECT_EQ(results.back, results.runs);
}

TEST(SimulatedCanary, IsFoundMostlyIfItFailsTenTimesAsOften) {
  const Results results = simulate_runs("0.1 % -> 1 %", 3000, {.canary_fails = 0.01, .others_fail = 0.001});
  EXPECT_GE(results.part(results.back), 0.8);
}

TEST(SimulatedCanary, IsFoundIfItFailsInEverythingThoughTrafficIsLow) {
  Results results = simulate_runs("0.1 % -> 100 %, 20 exchanges/s", 3000,
                                  {.exchanges_per_s = 20, .canary_fails = 1, .others_fail = 0.001});
  EXPECT_EQ(results.back, results.runs);
  results = simulate_runs("0.1 % -> 100 %, half of the clients", 1000,
                          {.share = 0.5, .canary_fails = 1, .others_fail = 0.001});
  EXPECT_EQ(results.back, results.runs);
}

// Servers fail both sides for some seconds: all exchanges or half of them; in the middle, and while the canary's
// clients are still coming.
TEST(SimulatedCanary, IsSeldomAccusedOfAnOutageOfServers) {
  const std::vector<std::vector<Client>> populations = {{}, alike_clients(2000, 600), alike_clients(40, 200)};
  for (const double fails : {1.0, 0.5, 0.05}) {
    for (const auto& [from_s, to_s] : {std::pair{10.0, 15.0}, {0.0, 3.0}, {0.0, 8.0}, {2.0, 4.0}}) {
      for (const std::vector<Client>& clients : populations) {
        Scenario scenario = failing_alike(0.001, 30);
        scenario.ramp_s = 5;
        scenario.clients = clients;
        scenario.outages = {{from_s, to_s, fails}};
        char name[100];
        std::snprintf(name, sizeof name, "outage of %.0f %%, second %.0f to %.0f, %s", 100 * fails, from_s, to_s,
                      clients.empty()         ? "new clients"
                      : clients.size() > 1000 ? "2,000 clients"
                                              : "40 clients");
        expect_few_false_alarms(simulate_runs(name, clients.empty() ? 500 : 100, scenario));
      }
    }
  }
}

TEST(SimulatedCanary, IsSeldomAccusedOfWhatBusyClientsDoThatAreItsByChance) {
  for (const int count : {50, 500, 5000}) {
    for (const double fails : {0.001, 0.02}) {
      char name[100];
      std::snprintf(name, sizeof name, "%d clients (Pareto), %.1f %%, an outage of 50 %%", count, 100 * fails);
      expect_few_false_alarms(simulate_made(name, 200, [&](Random& random) {
        Scenario scenario = failing_alike(fails, 30);
        scenario.clients = pareto_clients(count, 600, random);
        scenario.ramp_s = 5;
        scenario.outages = {{3, 4, 0.5}, {15, 20, 0.5}};
        return scenario;
      }));
    }
  }
}

// Exposures would accuse the canary here: in a third of the runs it has none of the pollers.
TEST(SimulatedCanary, IsSeldomAccusedOfHavingNoneOfTheBusyClientsThatNeverFail) {
  Scenario scenario = failing_alike(0.01, 300);
  scenario.clients = alike_clients(3000, 100);
  scenario.clients.insert(scenario.clients.end(), 20, {.exchanges_per_s = 20, .fails = 0});
  expect_few_false_alarms(simulate_runs("20 pollers that never fail, others 1 %, 5 min", 200, scenario));
}

// More clients than slots: the others' share slots as often as the canary's.
TEST(SimulatedCanary, IsNotAccusedOfHavingItsClientsCountedWhileOthersShareSlots) {
  Scenario scenario = failing_alike(0.001, 5);
  scenario.clients = alike_clients(200'000, 100'000);
  scenario.outages = {{1, 5, 1}};
  EXPECT_EQ(simulate_runs("200,000 clients, an outage of 100 %", 5, scenario).back, 0);
}

TEST(SimulatedCanary, IsNeverAccusedOfASingleClientHoweverMuchOfItFails) {
  for (const double failures : {20, 2000}) {
    // A client with the hash 0 is the canary's.
    for (const double share : {0.01, 0.05, 0.5}) {
      Comparison comparison(Share(static_cast<std::uint16_t>(share * 10'000)));
      Tally canary, others;
      for (int tick = 0; tick < 300; ++tick) {
        for (int i = 0; i < failures / 300 + 1; ++i) canary.note(0, true, tick * tick_ms);
        for (std::uint64_t i = 1; i <= 20; ++i) others.note(i << 48 | 1ULL << 63, false, tick * tick_ms);
        comparison.look(canary.counts(), others.counts());
        ASSERT_NE(comparison.judge(false), Verdict::back);
      }
      EXPECT_EQ(comparison.judge(true), Verdict::doubt);
    }
  }
}

TEST(SimulatedCanary, GoesOnIfItIsHealthyAndHasHadEnoughToDo) {
  Results results = simulate_runs("alike, 0.1 %, 900 canary exchanges", 1000, failing_alike(0.001, 30));
  EXPECT_GE(results.part(results.go_on), 0.95);
  Scenario idle = failing_alike(0.001, 30);
  idle.exchanges_per_s = 10 / (0.05 * 30);
  results = simulate_runs("alike, 0.1 %, 10 canary exchanges", 1000, idle);
  EXPECT_GE(results.part(results.doubt), 0.98);
  idle.ramp_s = 1e9;
  results = simulate_runs("none of the canary's clients comes", 100, idle);
  EXPECT_EQ(results.doubt, results.runs);
}

TEST(SimulatedCanary, GoesOnIfBothAreEquallyBad) {
  Scenario scenario = failing_alike(0.05, 30);
  Results results = simulate_runs("alike, 5 %, 900 canary exchanges", 1000, scenario);
  EXPECT_GE(results.part(results.go_on), 0.8);
  scenario.clients = alike_clients(2000, 600);
  results = simulate_runs("alike, 5 %, 2,000 clients", 300, scenario);
  EXPECT_GE(results.part(results.go_on), 0.8);
}

TEST(SimulatedCanary, SeldomGoesOnIfItIsThreeTimesWorse) {
  for (const double ramp_s : {0.0, 5.0}) {
    Scenario scenario{.ramp_s = ramp_s, .canary_fails = 0.06, .others_fail = 0.02};
    const Results results = simulate_runs("2 % -> 6 %", 1000, scenario);
    EXPECT_LE(results.part(results.go_on), 0.05);
    scenario.outages = {{5, 10, 0.5}};
    const Results after = simulate_runs("2 % -> 6 %, with an outage of 50 %", 1000, scenario);
    EXPECT_LE(after.part(after.go_on), 0.05);
  }
}

}  // namespace
}  // namespace baton::canary
