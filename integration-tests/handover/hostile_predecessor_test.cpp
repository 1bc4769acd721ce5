// A real successor whose predecessor fails at each step, in each way. If the predecessor is dead, the successor is the
// instance; if it lives, the successor exits with 1 and has touched nothing that is not its own.
#include <gtest/gtest.h>

#include <algorithm>

#include "scripted_predecessor.hpp"

namespace baton::harness {
namespace {

// ── The predecessor dies ──────────────────────────────────────────────────────────────────────────────────────────

class DyingPredecessor : public testing::Test {
 protected:
  Origin origin;
  ScriptedPredecessor predecessor{origin};
};

TEST_F(DyingPredecessor, BeforeReadyEndsTheSuccessor) {
  predecessor.converse_through("Hello");
  predecessor.die();
  EXPECT_EQ(predecessor.successor().await_exit(), (Ended{1, 0}));
}

TEST_F(DyingPredecessor, BeforeListenLeavesTheServiceToTheSuccessor) {
  predecessor.converse_through("Inherit");
  predecessor.die();
  predecessor.expect_it_is_the_instance();
}

TEST_F(DyingPredecessor, AfterListenLeavesTheServiceToTheSuccessor) {
  predecessor.converse_through("Listen");
  predecessor.die();
  predecessor.expect_it_is_the_instance();
}

TEST_F(DyingPredecessor, AfterOffersLeavesTheSuccessorWithWhatItHasAdopted) {
  predecessor.converse_through("Offer");
  predecessor.die();
  predecessor.expect_it_is_the_instance();
  for (LiveClient& live : predecessor.clients()) EXPECT_EQ(live.client.get("/bytes/7").body, pattern(7));
}

TEST_F(DyingPredecessor, AfterDoneIsWhatItIsMeantToDo) {
  predecessor.converse_through("Offer");
  predecessor.send_done();
  predecessor.die();
  predecessor.expect_it_is_the_instance();
  for (LiveClient& live : predecessor.clients()) EXPECT_EQ(live.client.get("/bytes/7").body, pattern(7));
}

// ── The predecessor lives, and the conversation breaks ────────────────────────────────────────────────────────────

struct Row {
  std::string after;  // the last step that succeeds; empty: none
  std::string way;
};

void PrintTo(const Row& row, std::ostream* out) {
  *out << row.way << " after " << row.after;
}

class LivingPredecessor : public testing::TestWithParam<Row> {
 protected:
  void break_off(const std::string& way) {
    if (way == "garbage") predecessor.write_raw("HTTP/1.1 400 Bad Request\r\n\r\n");
    if (way == "half_a_frame") predecessor.write_raw("BATN");
    if (way == "another_kind") predecessor.write_raw(std::string_view("BATN\0\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0", 20));
    if (way != "another_kind" && way != "garbage") predecessor.give_up();
  }

  Origin origin;
  ScriptedPredecessor predecessor{origin};
};

TEST_P(LivingPredecessor, KeepsEverythingThatWasNotAdopted) {
  predecessor.converse_through(GetParam().after);
  break_off(GetParam().way);
  predecessor.expect_it_ends_and_leaves_us_alone();
  if (GetParam().after == "Offer") return;
  for (LiveClient& live : predecessor.clients()) live.expect_untouched();
}

INSTANTIATE_TEST_SUITE_P(BreaksOff, LivingPredecessor, testing::ValuesIn([] {
                           std::vector<Row> rows;
                           for (const char* after : {"", "Hello", "Inherit", "Listen", "Offer"}) {
                             for (const char* way : {"gives_up", "garbage", "half_a_frame", "another_kind"}) {
                               // After Inherit, a Listen would be correct.
                               if (std::string(after) == "Inherit" && std::string(way) == "another_kind") continue;
                               rows.push_back({after, way});
                             }
                           }
                           return rows;
                         }()),
                         [](const auto& row) {
                           return row.param.way + "_" +
                                  (row.param.after.empty() ? "at_once" : "after_" + row.param.after);
                         });

class GivingUp : public testing::Test {
 protected:
  Origin origin;
  ScriptedPredecessor predecessor{origin};
};

TEST_F(GivingUp, DoesNotCutWhatTheSuccessorHasAdopted) {
  predecessor.converse_through("Offer");
  for (LiveClient& live : predecessor.clients()) live.client.send(get_request("/held"));
  origin.gate().await_arrivals(static_cast<int>(predecessor.clients().size()));
  predecessor.give_up();
  predecessor.successor().await_line(Process::Stream::err, std::regex("took the service back"));
  origin.gate().open();
  for (LiveClient& live : predecessor.clients()) EXPECT_EQ(live.client.response().body, "held");
  predecessor.expect_it_ends_and_leaves_us_alone();
}

TEST_F(GivingUp, AfterDoneWithTheLockKeptEndsTheSuccessor) {
  predecessor.converse_through("Offer");
  predecessor.send_done();
  predecessor.expect_it_ends_and_leaves_us_alone();
}

// ── The successor sleeps, and wakes when all is over ──────────────────────────────────────────────────────────────

class StoppedSuccessor : public testing::TestWithParam<std::string> {
 protected:
  Origin origin;
  ScriptedPredecessor predecessor{origin};
};

TEST_P(StoppedSuccessor, TouchesNothingWhenItWakesAfterTheTakeBack) {
  const std::string step = GetParam();
  const std::string before = step == "Hello"     ? ""
                             : step == "Inherit" ? "Hello"
                             : step == "Listen"  ? "Inherit"
                                                 : "Listen";
  predecessor.converse_through(before);
  predecessor.stop_successor();
  if (step == "Hello") predecessor.send_hello();
  if (step == "Inherit") predecessor.send_inherit();
  if (step == "Listen") predecessor.send_listen();
  if (step == "Offer") {
    // A request is there as well, so that a process reading the socket would answer it.
    for (LiveClient& live : predecessor.clients()) live.client.send(get_request("/bytes/1"));
    predecessor.send_offer();
  }
  if (step == "Done") predecessor.send_done();
  predecessor.give_up();
  if (step == "Offer") {
    for (LiveClient& live : predecessor.clients()) live.served.read_exactly(get_request("/bytes/1").size());
  }
  for (LiveClient& live : predecessor.clients()) live.expect_untouched();
  // Bytes for the predecessor wait while the successor wakes.
  for (LiveClient& live : predecessor.clients()) live.client.send("for the predecessor");
  predecessor.continue_successor();
  predecessor.expect_it_ends_and_leaves_us_alone();
  for (LiveClient& live : predecessor.clients()) {
    EXPECT_EQ(live.served.read_exactly(19), "for the predecessor");
    live.expect_untouched();
  }
  EXPECT_EQ(origin.requests().size(), 0u);
}

INSTANTIATE_TEST_SUITE_P(At, StoppedSuccessor, testing::Values("Hello", "Inherit", "Listen", "Offer", "Done"),
                         [](const auto& row) { return row.param; });

}  // namespace
}  // namespace baton::harness
