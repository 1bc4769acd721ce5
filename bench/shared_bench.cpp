// What workers share for each request costs, with one thread and with two that do nothing else at the same time: the
// counts of a rate, and those of the exchanges with a server. Nanoseconds of CPU time for one request: the median of
// many short rounds. Two threads need two free CPUs.
//
//   shared_bench [rounds, default 200]
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proxy/rates/table.hpp"
#include "proxy/upstream/pool.hpp"

namespace {

using namespace baton;

constexpr int requests = 20'000;  // of a thread in a round

double thread_ns() {
  timespec now;
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// The thread gets a CPU of its own, as long as there are some.
void pin(int thread) {
  cpu_set_t allowed;
  ::sched_getaffinity(0, sizeof allowed, &allowed);
  int skip = thread % CPU_COUNT(&allowed);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || skip-- != 0) continue;
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(cpu, &own);
    ::sched_setaffinity(0, sizeof own, &own);
  }
}

// `make(thread)` returns what one request does in a thread. All threads begin a round together.
double median_ns(int threads, int rounds, const std::function<std::function<void(int)>(int)>& make) {
  std::vector<std::vector<double>> costs(static_cast<std::size_t>(threads));
  std::atomic<int> arrived = 0;
  std::vector<std::thread> running;
  for (int thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      pin(thread);
      const std::function<void(int)> request = make(thread);
      for (int round = 0; round < rounds; ++round) {
        ++arrived;
        while (arrived < (round + 1) * threads) {  // a thread that slept would begin later than the other
        }
        const double before = thread_ns();
        for (int i = 0; i < requests; ++i) request(i);
        costs[static_cast<std::size_t>(thread)].push_back((thread_ns() - before) / requests);
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  std::vector<double> all;
  for (const auto& of_thread : costs) all.insert(all.end(), of_thread.begin(), of_thread.end());
  std::ranges::nth_element(all, all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2));
  return all[all.size() / 2];
}

upstream::UpstreamServers two_servers(config::Balance balance, std::uint64_t max_connections) {
  upstream::UpstreamServers from{.name = "app", .balancing = {.balance = balance}};
  for (std::uint8_t last = 1; last <= 2; ++last) {
    state::SocketAddress address;
    address.family = state::Family::ipv4;
    address.port = 80;
    address.ip = {192, 0, 2, last};
    from.servers.push_back({.address = address,
                            .max_connections = max_connections,
                            .standing = std::make_shared<upstream::Standing>("app", address.text())});
    from.servers.back().standing->configure({}, false, 0);
  }
  return from;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 200;
  if (rounds <= 0) return 2;

  rates::Table table;
  table.make_room();
  const rates::Rate rate{.interval_us = 1, .burst_us = 1'000'000};
  const auto counted_by = [&](bool is_own) {
    return [&table, rate, is_own](int thread) {
      const std::string key = "client " + std::to_string(is_own ? thread : 0);
      return [&table, rate, key](int number) { (void)table.take(1, rate, key, number); };
    };
  };
  const auto balanced = [](upstream::UpstreamServers from) {
    return [from = std::move(from)](int) {
      // What a worker has of its own.
      const auto here = std::make_shared<upstream::Upstream>(from);
      return [here](int) {
        upstream::Server* const server = here->choose(0).server;
        if (server == nullptr || !server->may_begin()) std::abort();
        server->end_exchange();
      };
    };
  };

  std::printf("%-34s %10s %10s\n", "", "one thread", "two");
  const auto row = [rounds](const char* what, const std::function<std::function<void(int)>(int)>& make) {
    const double one = median_ns(1, rounds, make);
    std::printf("%-34s %10.1f %10.1f\n", what, one, median_ns(2, rounds, make));
  };
  row("rate, each thread its own client", counted_by(true));
  row("rate, the same client", counted_by(false));
  row("round_robin", balanced(two_servers(config::Balance::round_robin, 0)));
  row("least_connections", balanced(two_servers(config::Balance::least_connections, 0)));
  row("round_robin with max_connections", balanced(two_servers(config::Balance::round_robin, 1'000)));
}
