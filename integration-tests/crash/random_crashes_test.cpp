// Crashes at random moments, under clients of every kind that compare every byte. A crash may cost each thread the
// connection that it is running: that ends by a reset, and never otherwise.
//
// The seed is printed; BATON_SEED=N repeats the test's choices, but not the scheduler's. BATON_ROUNDS=N: so many rounds
// of two crashes.
#include <gmock/gmock.h>
#include <signal.h>

#include <cstdlib>
#include <iostream>
#include <regex>

#include "harness/baton.hpp"
#include "harness/http2_origin.hpp"
#include "harness/log_lines.hpp"
#include "scale/habits.hpp"
#include "scale/http2_habit.hpp"

namespace baton::harness {
namespace {

using clients::Kind;

constexpr int threads = 2;
constexpr int crashes_in_a_round = 2;
constexpr std::size_t proofs_between_crashes_max = 1'500;

std::uint32_t number_from(const char* variable, std::uint32_t otherwise) {
  const char* given = std::getenv(variable);
  return given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : otherwise;
}

std::uint32_t chosen_seed() {
  const std::uint32_t seed = number_from("BATON_SEED", std::random_device()());
  std::cout << "BATON_SEED=" << seed << std::endl;
  return seed;
}

// The client connects again if its connection ends by a reset.
Habit begins_again(std::atomic<int>& lost, Habit habit) {
  return [&lost, habit = std::move(habit)](Life& life) {
    for (;;) {
      try {
        return habit(life);
      } catch (const ConnectionEnded& end) {
        const std::string what = end.what();
        if (what.find("reset") == std::string::npos && what.find("were sent") == std::string::npos) throw;
        ++lost;
      }
    }
  };
}

class RandomCrashes : public testing::Test {
 protected:
  std::size_t any(std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_); }

  static Settings patient(Settings settings) {
    settings.timeouts = "head: 10m, body: 10m, send: 10m, idle: 10m, response: 10m";
    return settings;
  }

  // One parent gives up after a few crashes in a row, so each round has its own.
  void play_a_round() {
    Course course;
    Origin origin;
    Http2Origin grpc;
    habits::serve(origin, course);
    Baton back(patient(Settings(origin.address())));
    Settings settings = patient(Settings(origin.address()));
    settings.own_binary = true;
    settings.arguments = {"--supervise"};
    settings.workers = threads;
    settings.handoff += ", survive: all";
    settings.limits = "buffer_bytes: " + std::to_string(4 + any(60)) + "k";
    settings.binds = {loopback(free_port())};
    settings.tcp_binds = {loopback(free_port())};
    settings.more_listeners = "  - { name: web_tls, bind: \"" + web_tls_.text() + "\", tls: { certificates: [" +
                              certificate_.yaml() + "], alpn: [ h2, http/1.1 ] } }\n";
    // What names the host `back` goes by HTTP/2 to another Baton before the same origin.
    settings.more_upstreams = "  - { name: back, protocol: http2, servers: [ { address: \"" + back.address().text() +
                              "\" } ] }\n" + "  - { name: grpc, protocol: http2, servers: [ { address: \"" +
                              grpc.address().text() + "\" } ] }\n";
    settings.more =
        "routes:\n  - { match: { path_prefix: /grpc }, upstream: grpc }\n"
        "  - { match: { host: back }, upstream: back }\n  - { upstream: web }\n";
    Baton baton(settings);
    std::atomic<int> lost = 0;
    Crew crew(course, static_cast<std::uint32_t>(random_()));
    board(crew, settings, lost);
    for (int crash = 0; crash < crashes_in_a_round && crew.is_content(); ++crash) {
      const pid_t before = static_cast<pid_t>(baton.number("pid"));
      baton.await_log(std::regex("supervisor: PID " + std::to_string(before) + " is the instance"));
      const std::uint64_t proofs = course.proofs + any(proofs_between_crashes_max);
      await([&] { return course.proofs >= proofs; }, "the clients to go on");
      ::kill(before, any(3) == 0 ? SIGSEGV : SIGKILL);
      await([&] { return baton.count_log_lines(crashed_) == static_cast<std::size_t>(crash) + 1; },
            "the keeper to hand over\n" + baton.log());
      course.upgrade_passed();
    }
    EXPECT_THAT(crew.finish(), testing::IsEmpty());
    EXPECT_LE(lost, crashes_in_a_round * threads) << baton.log();
    lost_ += lost;
    proofs_ += course.proofs;
    baton.signal(SIGTERM);
    EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
    if (HasFailure()) std::cout << baton.log();
  }

  void board(Crew& crew, const Settings& settings, std::atomic<int>& lost) {
    const Address& http = settings.binds.front();
    const Address& tcp = settings.tcp_binds.front();
    const auto add = [&](std::size_t count, Kind kind, const Address& address,
                         clients::Transport transport = clients::Transport::plain) {
      for (const Habit& habit : habits::of(kind, transport)) {
        crew.add(count, clients::name_of(kind), address, begins_again(lost, habit));
      }
    };
    for (const Kind kind : {Kind::idle, Kind::half_head, Kind::pipelined, Kind::large_bodies, Kind::slow_reader,
                            Kind::upload, Kind::events, Kind::websocket, Kind::http2, Kind::grpc}) {
      add(2, kind, http);
    }
    for (const Kind kind : {Kind::pipelined, Kind::events, Kind::websocket, Kind::http2}) {
      add(1, kind, web_tls_, clients::Transport::tls13);
      add(1, kind, web_tls_, clients::Transport::tls12);
    }
    crew.add(2, "HTTP/2 to a server of HTTP/2", http, begins_again(lost, habits::has_many_streams({}, "back")));
    add(3, Kind::raw_tcp, tcp);
  }

  std::mt19937 random_{chosen_seed()};
  const std::regex crashed_{"crashed: [0-9]+ connections go on, [0-9]+ were lost"};
  TempDir directory_;
  Authority authority_{directory_};
  const Certificate certificate_ = authority_.issue({"localhost"});
  const Address web_tls_ = loopback(free_port());
  int lost_ = 0;
  std::uint64_t proofs_ = 0;
};

TEST_F(RandomCrashes, CostEachThreadAtMostOneConnection) {
  const std::uint32_t rounds = number_from("BATON_ROUNDS", 4);
  for (std::uint32_t round = 1; round <= rounds && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    play_a_round();
  }
  std::cout << rounds * crashes_in_a_round << " crashes: " << lost_ << " connections lost, " << proofs_
            << " answers, messages and pieces compared" << std::endl;
}

}  // namespace
}  // namespace baton::harness
