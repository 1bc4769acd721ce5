// A real predecessor, and a successor that fails at each step, in each way: the predecessor's clients see nothing, one
// line says why, and the next signal works.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>

#include "harness/aftermath.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

struct Row {
  std::string step;
  std::string way;
};
void PrintTo(const Row& row, std::ostream* out) {
  *out << row.step << ' ' << row.way;
}

// A time limit expires only for a successor that hangs, or that must be killed because it has adopted connections.
Settings settings_for(const Origin& origin, bool hangs) {
  Settings settings(origin.address());
  settings.own_binary = true;
  settings.handoff = "finish_timeout: 200ms, drain_timeout: 500ms, ";
  settings.handoff += hangs ? "ready_timeout: 2s, step_timeout: 700ms" : "ready_timeout: 15s, step_timeout: 15s";
  return settings;
}

class HostileSuccessor : public testing::TestWithParam<Row> {
 protected:
  void put_in_place(const Row& row) {
    replace_file(baton.directory() / "behaviour", row.step + " " + row.way);
    replace_file(baton.binary_path(), read_file(HOSTILE_SUCCESSOR), true);
  }
  // The next successor is a good one and has all the time it needs.
  void restore() {
    Settings patient = settings_for(origin, false);
    patient.binds = {baton.address()};
    baton.reload(patient);
    replace_file(baton.binary_path(), read_file(baton_binary()), true);
  }

  Origin origin;
  Baton baton{settings_for(origin, GetParam().way == "hang" || GetParam().step == "Bye")};
  Client idle = baton.connect();
  Client partial = baton.connect();
  Client held = baton.connect();
};

using SuccessorThatFails = HostileSuccessor;

TEST_P(SuccessorThatFails, IsNothingThatAClientSees) {
  idle.get("/bytes/1");
  partial.send("GET /bytes/3 HTTP/1.1\r\n");
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  put_in_place(GetParam());

  baton.failed_upgrade();
  EXPECT_EQ(baton.count_log_lines(log_lines::upgrade_failed), 1u) << baton.log();
  const std::size_t descriptors = descriptor_count(baton.pid());
  baton.failed_upgrade();
  await_descriptors_at_most(descriptors, baton.pid());

  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
  EXPECT_EQ(idle.get("/bytes/2").body, pattern(2));
  expect_one_instance(baton);

  restore();
  baton.upgrade();
  partial.send("Host: a\r\n\r\n");
  EXPECT_EQ(partial.response().body, pattern(3));
  EXPECT_EQ(idle.get("/bytes/5").body, pattern(5));
  EXPECT_EQ(held.get("/bytes/6").body, pattern(6));
  EXPECT_EQ(baton.number("accepted_total"), 4) << "nobody has had to connect again";
  expect_one_instance(baton);
}

// Everything has been adopted: what a dying successor owns dies with it, and nothing else.
using SuccessorThatFailsAfterDone = HostileSuccessor;

TEST_P(SuccessorThatFailsAfterDone, GivesTheRoleBackToThePredecessor) {
  idle.get("/bytes/1");
  put_in_place(GetParam());
  baton.failed_upgrade();
  EXPECT_EQ(baton.pid_in_file(), baton.pid());
  expect_one_instance(baton);
  Client fresh = baton.connect();
  fresh.get("/bytes/1");
  restore();
  baton.upgrade();
  EXPECT_EQ(fresh.get("/bytes/5").body, pattern(5));
  expect_one_instance(baton);
}

// No process is the instance while the predecessor waits for Bye. A stop then stops both.
using SuccessorThatHangsAfterDone = HostileSuccessor;

TEST_P(SuccessorThatHangsAfterDone, IsKilledByASecondSignalAndNothingIsLeft) {
  put_in_place(GetParam());
  const pid_t predecessor = baton.pid();
  baton.begin_upgrade();
  await([this] { return !baton.lock_is_held(); }, "the predecessor to resign");
  baton.signal(SIGTERM);
  baton.signal(SIGINT);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  expect_nothing_left(baton, predecessor);
}

using SuccessorThatAdoptsOne = HostileSuccessor;

TEST_P(SuccessorThatAdoptsOne, TakesOnlyThatOneDown) {
  baton.await_number("connections.total", 3);
  put_in_place(GetParam());
  const std::string line = baton.failed_upgrade();
  EXPECT_NE(line.find("moved=1 "), std::string::npos) << line;
  int lost = 0;
  for (Client* client : {&idle, &partial, &held}) {
    client->send_what_goes(get_request("/bytes/7"));
    try {
      EXPECT_EQ(client->response().body, pattern(7));
    } catch (const Failure&) {
      ++lost;
    }
  }
  EXPECT_EQ(lost, 1);
  expect_one_instance(baton);
  Client fresh = baton.connect();
  fresh.get("/bytes/1");
  restore();
  baton.upgrade();
  EXPECT_EQ(fresh.get("/bytes/5").body, pattern(5));
  expect_one_instance(baton);
}

using SuccessorThatRefusesAll = HostileSuccessor;

TEST_P(SuccessorThatRefusesAll, LeavesWhatItRefusedToItsEnd) {
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  put_in_place(GetParam());
  baton.begin_upgrade();
  const std::string report = baton.await_log(log_lines::upgrade_report);
  EXPECT_NE(report.find("moved=0 "), std::string::npos) << report;
  EXPECT_NE(report.find("on principle"), std::string::npos) << report;
  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
}

std::vector<Row> rows(const std::vector<std::string>& steps) {
  std::vector<Row> all;
  for (const std::string& step : steps) {
    for (const char* way : {"exit", "kill", "hang", "garbage", "another-kind", "half-a-frame"})
      all.push_back({step, way});
  }
  return all;
}

std::string name_of(const testing::TestParamInfo<Row>& row) {
  std::string name = row.param.step + "_" + row.param.way;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(At, SuccessorThatFails, testing::ValuesIn(rows({"Hello", "Ready", "Listening", "Adopted"})),
                         name_of);
INSTANTIATE_TEST_SUITE_P(At, SuccessorThatFailsAfterDone, testing::ValuesIn(rows({"Bye"})), name_of);
INSTANTIATE_TEST_SUITE_P(At, SuccessorThatHangsAfterDone, testing::Values(Row{"Bye", "hang"}), name_of);
INSTANTIATE_TEST_SUITE_P(At, SuccessorThatAdoptsOne, testing::Values(Row{"-", "adopt-one-and-die"}), name_of);
INSTANTIATE_TEST_SUITE_P(At, SuccessorThatRefusesAll, testing::Values(Row{"-", "refuse-all"}), name_of);

}  // namespace
}  // namespace baton::harness
