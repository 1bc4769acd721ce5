// Upgrades and reloads at random moments, one after another, under clients of every kind that keep their one connection
// for the whole run and compare every byte. Runs in Release, and under the sanitizers, where any report of any
// generation is a failure.
//
// The seed is printed; BATON_SEED=N repeats its choices. What the scheduler does meanwhile it does not repeat.
#include <gmock/gmock.h>
#include <signal.h>

#include <cstdlib>
#include <iostream>
#include <map>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "scale/habits.hpp"

namespace baton::harness {
namespace {

constexpr int upgrades = 20;
constexpr std::size_t proofs_between_upgrades_max = 1'500;
// Generous: it is only ever used up by a test that fails.
constexpr Milliseconds patience{60'000};

std::uint32_t chosen_seed() {
  const char* given = std::getenv("BATON_SEED");
  const std::uint32_t seed =
      given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : std::random_device()();
  std::cout << "BATON_SEED=" << seed << std::endl;
  return seed;
}

class RandomFreezes : public testing::Test {
 protected:
  RandomFreezes() {
    habits::serve(origin_, course_);
    settings_ = Settings(origin_.address());
    settings_.binds = {loopback(free_port())};
    settings_.tcp_binds = {loopback(free_port())};
    settings_.timeouts = "head: 10m, body: 10m, send: 10m, idle: 10m, response: 10m";
    configure();
  }

  std::size_t any(std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_); }

  // Values that each reload and each successor finds changed.
  void configure() {
    settings_.handoff = "ready_timeout: 60s, step_timeout: 60s, finish_timeout: " + std::to_string(any(120)) + "ms";
    settings_.limits = "buffer_bytes: " + std::to_string(4 + any(60)) + "k";
  }

  void board(Crew& crew) {
    const Address& http = settings_.binds.front();
    const Address& tcp = settings_.tcp_binds.front();
    crew.add(4, "idle", http, habits::asks_between_upgrades);
    crew.add(4, "half a head", http, habits::halts_in_the_head);
    crew.add(6, "pipelined", http, habits::pipelines);
    crew.add(2, "large bodies", http, habits::asks_for_much);
    crew.add(2, "newcomers", http, habits::comes_and_goes);
    crew.add(2, "slow reader", http, habits::reads_slowly);
    crew.add(2, "upload by length", http, habits::uploads_by_length);
    crew.add(2, "upload in chunks", http, habits::uploads_in_chunks);
    crew.add(3, "event stream", http, habits::listens_to_events);
    crew.add(3, "WebSocket", http, habits::talks_to_an_echo);
    crew.add(1, "WebSocket, half-closed by the server", http, habits::pours_with_the_other_side_closed);
    crew.add(3, "raw TCP", tcp, habits::talks_to_an_echo);
    crew.add(2, "raw TCP, half-closed by the client", tcp, habits::listens_with_its_own_side_closed);
    crew.add(2, "raw TCP, half-closed by the server", tcp, habits::pours_with_the_other_side_closed);
  }

  // Until a client complains: what comes after that proves nothing more.
  void play(Baton& baton, Crew& crew) {
    const auto rewrite = [&] {
      configure();
      replace_file(baton.config_path(), to_yaml(settings_, baton.directory()));
    };
    for (int number = 1; number <= upgrades && crew.is_content(); ++number) {
      SCOPED_TRACE("upgrade " + std::to_string(number));
      const std::uint64_t proofs = course_.proofs + any(proofs_between_upgrades_max);
      await([&] { return course_.proofs >= proofs; }, "the clients to go on");
      rewrite();
      if (any(2) == 0) {
        const std::size_t reloads = baton.count_log_lines(log_lines::reload_done);
        baton.signal(SIGHUP);
        if (any(2) == 0) rewrite();  // the signal is answered with the one or the other
        await([&] { return baton.count_log_lines(log_lines::reload_done) > reloads; }, "the reload");
      }
      // One that comes together with the upgrade is served by either process, before or after.
      if (any(3) == 0) baton.signal(SIGHUP);
      baton.begin_upgrade();
      const std::string report = baton.finish_upgrade(patience);
      EXPECT_THAT(report, testing::HasSubstr("taken_back=0, refused=0,"));
      const boost::json::object status = baton.status();
      for (const auto& [state, moved] : status.at("last_upgrade").at("moved").as_object())
        moved_[state] += moved.to_number<std::uint64_t>();
      course_.upgrade_passed();
    }
    if (!crew.is_content()) return;
    EXPECT_EQ(baton.count_log_lines(log_lines::reload_failed), 0u);
    EXPECT_EQ(baton.number("generation"), upgrades + 1);
    for (const char* state : {"idle", "head", "exchange", "tunnel"}) EXPECT_GT(moved_[state], 0u) << state;
  }

  std::mt19937 random_{chosen_seed()};
  Course course_;
  Origin origin_;
  Settings settings_;
  std::map<std::string, std::uint64_t> moved_;  // by state, in all upgrades
};

TEST_F(RandomFreezes, ChangeNoByteAndEndNoConnection) {
  Baton baton(settings_);
  Crew crew(course_, static_cast<std::uint32_t>(random_()));
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
