// Crashes at random moments, under clients of every kind that compare every byte. A crash may cost each thread the
// connection that it is running: that ends by a reset, and never otherwise.
//
// BATON_SEED=N repeats the test's choices, but not the scheduler's. BATON_ROUNDS=N: so many rounds. BATON_CRASHES=N: so
// many crashes in each. BATON_CLIENTS=N: at least so many clients, which pause for longer.
#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <iostream>
#include <regex>
#include <thread>

#include "harness/log_lines.hpp"
#include "scale/choices.hpp"
#include "scale/crew_servers.hpp"
#include "scale/http2_habit.hpp"

namespace baton::harness {
namespace {

using clients::Kind;
using clients::Transport;

constexpr int threads = 2;
constexpr int crashes_in_a_row = 2;  // that spare all connections
constexpr std::chrono::seconds row_ends_after{11};
constexpr std::size_t proofs_between_crashes_max = 1'500;

struct Losses {
  std::atomic<int> noticed = 0;
  std::atomic<int> in_handshakes = 0;  // of clients that were about to connect again
};

// The client connects again if its connection ends by a reset.
Habit begins_again(Losses& losses, Habit habit) {
  return [&losses, habit = std::move(habit)](Life& life) {
    for (;;) {
      try {
        return habit(life);
      } catch (const ConnectionEnded& end) {
        const std::string what = end.what();
        if (what.find("reset") == std::string::npos && what.find("were sent") == std::string::npos) throw;
        ++losses.noticed;
      } catch (const Failure& failure) {
        const bool is_new = losses.noticed > losses.in_handshakes;
        if (!is_new || std::string_view(failure.what()) != "the connection ended in the handshake") throw;
        ++losses.in_handshakes;
      }
    }
  };
}

class RandomCrashes : public testing::Test {
 protected:
  // Each round has a parent of its own.
  void play_a_round() {
    Course course(slowness());
    const CrewServers servers(course);
    Settings settings = servers.settings();
    settings.own_binary = true;
    settings.arguments = {"--supervise"};
    settings.workers = threads;
    // Of thousands of threads that are busy, a client's is the wrong one to run during a handover.
    if (clients_min_ > 1) settings.shell = "renice -n -10 -p $$ > /dev/null 2>&1 || true";
    settings.handoff += ", survive: all";
    settings.limits = "buffer_bytes: " + std::to_string(4 + choices_.any(60)) + "k";
    settings.more_listeners = "  - { name: web_tls, bind: \"" + web_tls_.text() + "\", tls: { certificates: [" +
                              certificate_.yaml() + "], alpn: [ h2, http/1.1 ] } }\n" +
                              "  - { name: raw_tls, protocol: tcp, upstream: web, bind: \"" + raw_tls_.text() +
                              "\", tls: { certificates: [" + certificate_.yaml() + "] } }\n";
    Baton baton(settings);
    Losses losses;
    lost_beyond_threads_ = 0;
    Crew crew(course, choices_.seed());
    do board(crew, settings, losses);
    while (crew.size() < clients_min_);
    try {
      crash_again_and_again(baton, course, crew, losses);
    } catch (const Failure& failure) {
      ADD_FAILURE() << failure.what();
    }
    clients_ = crew.size();
    EXPECT_THAT(crew.finish(), testing::IsEmpty());
    // A handshake under way is lost, too.
    EXPECT_LE(lost_beyond_threads_, losses.in_handshakes) << baton.log();
    EXPECT_LE(losses.noticed, baton.number("crashes.lost_total")) << baton.log();
    lost_ += losses.noticed;
    proofs_ += course.proofs;
    baton.signal(SIGTERM);
    EXPECT_EQ(baton.await_exit(course.patience()), (Ended{0, 0}));
    if (HasFailure()) std::cout << baton.log();
  }

  // Until a client complains: what follows a complaint proves nothing more.
  void crash_again_and_again(const Baton& baton, Course& course, Crew& crew, const Losses& losses) {
    const auto await = [&](const std::function<bool()>& condition, const std::string& what) {
      harness::await([&] { return condition() || !crew.is_content(); }, what, course.patience());
      return crew.is_content();
    };
    std::int64_t crashes_total = 0;
    for (int crash = 1; crash <= crashes_in_a_round_; ++crash) {
      if (crash > 1 && crash % crashes_in_a_row == 1) std::this_thread::sleep_for(row_ends_after);
      const pid_t before = static_cast<pid_t>(baton.number("pid"));
      const std::regex serves("supervisor: PID " + std::to_string(before) + " is the instance");
      if (!await([&] { return baton.count_log_lines(serves) != 0; }, "the supervisor's line")) return;
      // A crash ends connections that are not accepted yet or in their handshake.
      if (!await([&] { return crew.established() == crew.size() + losses.noticed; }, "every client to begin")) return;
      // Who does not read notices a loss only after the next crash.
      const auto all_are_here = [&] {
        const std::int64_t lost_unnoticed = baton.number("crashes.lost_total") - losses.noticed - losses.in_handshakes;
        return baton.number("connections.total") + lost_unnoticed == static_cast<std::int64_t>(crew.size());
      };
      if (!await(all_are_here, "all connections")) return;
      const std::uint64_t proofs = course.proofs + choices_.any(proofs_between_crashes_max);
      if (!await([&] { return course.proofs >= proofs; }, "the clients to go on")) return;
      const bool is_in_upgrade = choices_.any(2) == 0;
      if (is_in_upgrade) {
        if (!kill_one_of_an_upgrade(baton, before, await)) return;
      } else {
        const std::size_t crashes = baton.count_log_lines(crashed_);
        ::kill(before, choices_.any(3) == 0 ? SIGSEGV : SIGKILL);
        if (!await([&] { return baton.count_log_lines(crashed_) > crashes; }, "the keeper to hand over")) return;
        stalls_us_.push_back(baton.number("crashes.last.stall_us"));
      }
      if (baton.number("crashes.total") != crashes_total) {
        crashes_total = baton.number("crashes.total");
        lost_beyond_threads_ += std::max<std::int64_t>(0, baton.number("crashes.last.lost") - threads);
      }
      course.upgrade_passed();
    }
  }

  // At any moment: before the successor has anything, or when it is the instance already.
  template <class Await>
  bool kill_one_of_an_upgrade(const Baton& baton, pid_t worker, Await await) {
    const std::size_t ends = ends_of_upgrades(baton);
    const std::vector<pid_t> keepers = children_of(worker);
    baton.begin_upgrade();
    std::this_thread::sleep_for(std::chrono::microseconds(choices_.any(150'000)));
    pid_t victim = worker;
    for (const pid_t child : children_of(worker)) {
      const bool is_keeper = std::ranges::find(keepers, child) != keepers.end();
      if (!is_keeper && choices_.any(2) == 0) victim = child;
    }
    ::kill(victim, SIGKILL);
    ++killed_in_upgrades_;
    const auto is_over = [&] {
      if (ends_of_upgrades(baton) == ends && is_alive(victim)) return false;
      try {
        const boost::json::object status = baton.status();
        return status.at("pid").to_number<pid_t>() != victim && status.at("state") == "serving";
      } catch (const Failure&) {
        return false;
      }
    };
    return await(is_over, "the end of the upgrade");
  }
  std::size_t ends_of_upgrades(const Baton& baton) const {
    return baton.count_log_lines(log_lines::upgrade_report) + baton.count_log_lines(crashed_);
  }

  int slowness() const { return static_cast<int>(std::max<std::size_t>(1, clients_min_ / 10)); }

  void board(Crew& crew, const Settings& settings, Losses& losses) {
    const auto add = [&](std::size_t count, Kind kind, const Address& address, Transport transport) {
      for (const Habit& habit : habits::of(kind, transport)) {
        crew.add(count, clients::name_of(kind, transport), address, begins_again(losses, habit));
      }
    };
    for (const Transport transport : clients::all_transports) {
      const bool is_plain = transport == Transport::plain;
      for (const Kind kind : {Kind::idle, Kind::half_head, Kind::pipelined, Kind::large_bodies, Kind::slow_reader,
                              Kind::upload, Kind::events, Kind::websocket, Kind::http2, Kind::grpc}) {
        add(is_plain ? 2 : 1, kind, is_plain ? settings.binds.front() : web_tls_, transport);
      }
      add(is_plain ? 2 : 1, Kind::raw_tcp, is_plain ? settings.tcp_binds.front() : raw_tls_, transport);
    }
    crew.add(2, "HTTP/2 to a server of HTTP/2", settings.binds.front(),
             begins_again(losses, habits::has_many_streams({}, "back")));
  }

  void describe() {
    if (stalls_us_.empty()) return;
    std::ranges::sort(stalls_us_);
    std::cout << stalls_us_.size() << " crashes, and " << killed_in_upgrades_ << " in upgrades, under " << clients_
              << " clients: " << lost_ << " connections lost, " << proofs_
              << " answers, messages and pieces compared; stalls: median " << stalls_us_[stalls_us_.size() / 2] / 1000
              << " ms, longest " << stalls_us_.back() / 1000 << " ms" << std::endl;
  }

  Choices choices_;
  const int crashes_in_a_round_ = static_cast<int>(number_from("BATON_CRASHES", crashes_in_a_row));
  const std::size_t clients_min_ = number_from("BATON_CLIENTS", 1);
  const std::regex crashed_{"crashed: [0-9]+ connections go on, [0-9]+ were lost"};
  TempDir directory_;
  Authority authority_{directory_};
  const Certificate certificate_ = authority_.issue({"localhost"});
  const Address web_tls_ = loopback(free_port());
  const Address raw_tls_ = loopback(free_port());
  std::size_t clients_ = 0;
  int lost_ = 0;
  std::int64_t lost_beyond_threads_ = 0;  // by crashes of the round
  std::uint64_t proofs_ = 0;
  std::vector<std::int64_t> stalls_us_;
  int killed_in_upgrades_ = 0;
};

TEST_F(RandomCrashes, CostEachThreadAtMostOneConnection) {
  const std::uint32_t rounds = number_from("BATON_ROUNDS", 4);
  for (std::uint32_t round = 1; round <= rounds && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    play_a_round();
    describe();
  }
}

}  // namespace
}  // namespace baton::harness
