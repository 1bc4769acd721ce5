// Upgrades, canaries that are promoted or called back, and reloads at random moments, one after another, under clients
// of every kind that keep their one connection for the whole run and compare every byte. Runs in Release, and under the
// sanitizers, where any report from any generation is a failure.
//
// BATON_SEED=N repeats the test's choices, but not the scheduler's.
#include <gmock/gmock.h>
#include <signal.h>

#include <iostream>
#include <map>

#include "harness/log_lines.hpp"
#include "scale/choices.hpp"
#include "scale/crew_servers.hpp"
#include "scale/http2_habit.hpp"

namespace baton::harness {
namespace {

using clients::Kind;

constexpr int upgrades = 20;
constexpr std::size_t proofs_between_upgrades_max = 1'500;
// Generous: only a failing test ever uses it up.
constexpr Milliseconds patience{60'000};

class RandomFreezes : public testing::Test {
 protected:
  RandomFreezes() { configure(); }

  // Settings that change for each reload and each successor.
  void configure() {
    settings_.handoff =
        "ready_timeout: 60s, step_timeout: 60s, finish_timeout: " + std::to_string(choices_.any(120)) + "ms";
    settings_.limits = "buffer_bytes: " + std::to_string(4 + choices_.any(60)) + "k";
  }

  void board(Crew& crew) {
    const Address& http = settings_.binds.front();
    const Address& tcp = settings_.tcp_binds.front();
    const auto add = [&](std::size_t count, Kind kind, const Address& address) {
      for (const Habit& habit : habits::of(kind)) crew.add(count, clients::name_of(kind), address, habit);
    };
    add(4, Kind::idle, http);
    add(4, Kind::half_head, http);
    add(6, Kind::pipelined, http);
    add(2, Kind::large_bodies, http);
    add(2, Kind::newcomer, http);
    add(2, Kind::slow_reader, http);
    add(2, Kind::upload, http);
    add(3, Kind::events, http);
    add(3, Kind::websocket, http);
    add(3, Kind::http2, http);
    crew.add(3, "HTTP/2 to a server of HTTP/2", http, habits::has_many_streams({}, "back"));
    add(3, Kind::grpc, http);
    add(1, Kind::half_closed_by_server, http);
    add(3, Kind::raw_tcp, tcp);
    add(2, Kind::half_closed_by_client, tcp);
    add(2, Kind::half_closed_by_server, tcp);
  }

  // Half of the connections are a canary's, for a while.
  std::unique_ptr<Process> begin_canary(const Baton& baton) {
    auto upgrade = std::make_unique<Process>(Command{{baton_binary(), "ctl", "upgrade", "--canary", "50%", "--bake",
                                                      "1h", "--max", "1h", "-c", baton.config_path()}});
    upgrade->await_line(Process::Stream::out, std::regex("^canary 50%"));
    const std::uint64_t proofs = course_.proofs + choices_.any(proofs_between_upgrades_max);
    await([&] { return course_.proofs >= proofs; }, "the clients to go on beside a canary");
    return upgrade;
  }
  static void decide(const Baton& baton, const std::string& command) {
    const Outcome decided = run_baton({"ctl", command, "-c", baton.config_path()});
    EXPECT_EQ(decided.code, 0) << decided.out << decided.err;
  }

  // Runs until a client complains: what follows a complaint proves nothing more.
  void play(Baton& baton, Crew& crew) {
    const auto rewrite = [&] {
      configure();
      replace_file(baton.config_path(), to_yaml(settings_, baton.directory()));
    };
    for (int number = 1; number <= upgrades && crew.is_content(); ++number) {
      SCOPED_TRACE("upgrade " + std::to_string(number));
      const std::uint64_t proofs = course_.proofs + choices_.any(proofs_between_upgrades_max);
      await([&] { return course_.proofs >= proofs; }, "the clients to go on");
      rewrite();
      if (choices_.any(2) == 0) {
        const std::size_t reloads = baton.count_log_lines(log_lines::reload_done);
        baton.signal(SIGHUP);
        if (choices_.any(2) == 0) rewrite();  // the reload reads either of the two files
        await([&] { return baton.count_log_lines(log_lines::reload_done) > reloads; }, "the reload");
      }
      // A reload that coincides with the upgrade is handled by either process, before or after it.
      if (choices_.any(3) == 0) baton.signal(SIGHUP);
      const std::size_t way = choices_.any(3);
      if (way == 0) {
        const auto called_back = begin_canary(baton);
        decide(baton, "rollback");
        called_back->await_exit(patience);
        EXPECT_THAT(called_back->out(), testing::ContainsRegex("rolled_back: cancelled by command"));
        continue;
      }
      std::unique_ptr<Process> promoted;
      if (way == 1) {
        promoted = begin_canary(baton);
        decide(baton, "promote");
      } else {
        baton.begin_upgrade();
      }
      const std::string report = baton.finish_upgrade(patience);
      ++completed_;
      EXPECT_THAT(report, testing::HasSubstr("taken_back=0, refused=0,"));
      const boost::json::object status = baton.status();
      for (const auto& [state, moved] : status.at("last_upgrade").at("moved").as_object())
        moved_[state] += moved.to_number<std::uint64_t>();
      course_.upgrade_passed();
    }
    if (!crew.is_content()) return;
    EXPECT_EQ(baton.count_log_lines(log_lines::reload_failed), 0u);
    EXPECT_EQ(baton.number("generation"), completed_ + 1);
    for (const char* state : {"idle", "head", "exchange", "tunnel"}) EXPECT_GT(moved_[state], 0u) << state;
  }

  Choices choices_;
  Course course_;
  const CrewServers servers_{course_};
  Settings settings_ = servers_.settings();
  std::map<std::string, std::uint64_t> moved_;  // by state, in all upgrades
  std::int64_t completed_ = 0;                  // upgrades
};

TEST_F(RandomFreezes, ChangeNoByteAndEndNoConnection) {
  Baton baton(settings_);
  Crew crew(course_, choices_.seed());
  board(crew);
  try {
    play(baton, crew);
    EXPECT_THAT(crew.finish(), testing::IsEmpty());
    await([&] { return course_.arrived == course_.poured; }, "what was sent into half-closed tunnels to arrive right");
    EXPECT_EQ(baton.number("accepted_total"), static_cast<std::int64_t>(crew.opened()));
    baton.signal(SIGTERM);
    EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  } catch (const Failure& failure) {
    ADD_FAILURE() << failure.what();
  }
  EXPECT_THAT(crew.finish(), testing::IsEmpty());
  EXPECT_THAT(baton.log(), testing::Not(testing::ContainsRegex("Sanitizer|runtime error")));
  if (HasFailure()) std::cout << baton.log();
  std::cout << course_.proofs << " answers, messages and pieces compared on " << crew.opened()
            << " connections; moved:";
  for (const auto& [state, moved] : moved_) std::cout << " " << moved << " " << state;
  std::cout << std::endl;
}

}  // namespace
}  // namespace baton::harness
