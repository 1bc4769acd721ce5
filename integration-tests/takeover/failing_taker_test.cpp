// An external successor that fails, at each of its messages and in each way: its predecessor cannot kill it, and need
// not.
#include <signal.h>

#include <algorithm>

#include "harness/aftermath.hpp"
#include "harness/origin.hpp"
#include "harness/strace.hpp"
#include "takeover/taker.hpp"

namespace baton::harness {
namespace {

struct Row {
  std::string step;
  std::string way;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.step << ' ' << row.way; }

class TakerThatFails : public testing::TestWithParam<Row> {
 protected:
  Settings settings(bool hangs = GetParam().way == "hang" || GetParam().step == "Bye") const {
    Settings settings(origin.address());
    settings.own_binary = true;
    settings.handoff = "finish_timeout: 200ms, drain_timeout: 500ms, ";
    settings.handoff += hangs ? "ready_timeout: 2s, step_timeout: 700ms" : "ready_timeout: 15s, step_timeout: 15s";
    return settings;
  }
  Command hostile() const { return {{HOSTILE_SUCCESSOR, handoff_path(baton), GetParam().step, GetParam().way}}; }
  // While it hangs it holds the sockets it was given, but it is not the instance.
  void end_it(Process& taker) {
    if (!is_alive(taker.pid())) return;
    taker.signal(SIGKILL);
    taker.await_exit();
  }

  // The next one has all the time it needs.
  void be_patient() {
    Settings patient = settings(false);
    patient.binds = {baton.address()};
    baton.reload(patient);
  }

  Origin origin;
  Baton baton{settings()};
  Client idle = baton.connect();
  Client held = baton.connect();
};

TEST_P(TakerThatFails, IsNothingThatAClientSees) {
  idle.get("/bytes/1");
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);

  Process taker(hostile());
  baton.await_log(log_lines::upgrade_failed);
  EXPECT_EQ(baton.count_log_lines(log_lines::upgrade_failed), 1u) << baton.log();
  const bool ends = GetParam().way == "exit" || GetParam().way == "kill" || GetParam().way == "half-a-frame";
  EXPECT_TRUE(ends || is_alive(taker.pid())) << "it is not ours to kill";
  end_it(taker);

  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
  EXPECT_EQ(idle.get("/bytes/2").body, pattern(2));
  expect_one_instance(baton);
  be_patient();
  Taker good(baton);
  good.await_succession(baton);
  EXPECT_EQ(idle.get("/bytes/5").body, pattern(5));
  EXPECT_EQ(held.get("/bytes/6").body, pattern(6));
  EXPECT_EQ(baton.number("accepted_total"), 3) << "nobody has had to connect again";
  expect_one_instance(baton);
}

// Before its Hello nothing has begun, so nothing can fail.
using TakerThatFailsBeforeHello = TakerThatFails;

TEST_P(TakerThatFailsBeforeHello, KeepsNobodyWaiting) {
  idle.get("/bytes/1");
  Process taker(hostile());
  await([&] { return !is_alive(taker.pid()) || descriptor_count(taker.pid()) > 3; }, "the taker to have connected");
  be_patient();
  baton.upgrade();
  end_it(taker);
  EXPECT_EQ(baton.count_log_lines(log_lines::upgrade_failed), 0u) << baton.log();
  EXPECT_EQ(idle.get("/bytes/2").body, pattern(2));
  expect_one_instance(baton);
}

// What it had adopted dies with it, as with any successor; the role goes back.
using TakerThatFailsAfterDone = TakerThatFails;

TEST_P(TakerThatFailsAfterDone, GivesTheRoleBack) {
  idle.get("/bytes/1");
  Process taker(hostile());
  baton.await_log(log_lines::upgrade_failed);
  end_it(taker);
  expect_one_instance(baton);
  Client fresh = baton.connect();
  fresh.get("/bytes/1");
  be_patient();
  Taker good(baton);
  good.await_succession(baton);
  EXPECT_EQ(fresh.get("/bytes/5").body, pattern(5));
  expect_one_instance(baton);
}

std::vector<Row> rows(const std::vector<std::string>& steps) {
  std::vector<Row> all;
  for (const std::string& step : steps) {
    for (const char* way : {"exit", "kill", "hang", "garbage", "another-kind", "half-a-frame"}) all.push_back({step, way});
  }
  return all;
}

std::string name_of(const testing::TestParamInfo<Row>& row) {
  std::string name = row.param.step + "_" + row.param.way;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(At, TakerThatFailsBeforeHello, testing::ValuesIn(rows({"Hello"})), name_of);
INSTANTIATE_TEST_SUITE_P(At, TakerThatFails, testing::ValuesIn(rows({"Ready", "Listening", "Adopted"})), name_of);
INSTANTIATE_TEST_SUITE_P(At, TakerThatFailsAfterDone, testing::ValuesIn(rows({"Bye"})), name_of);

// A real one, killed at its first message, its second, its third, until a takeover passes unharmed.
TEST(TakerKilledAtAnyMessage, CostsOnlyWhatItHadAdopted) {
  if (!can_trace()) GTEST_SKIP() << "strace is not installed, or may not trace here";
  Origin origin;
  Settings settings(origin.address());
  settings.own_binary = true;
  settings.handoff = "ready_timeout: 15s, step_timeout: 5s, drain_timeout: 300ms";
  int killed = 0;
  bool passed = false;
  for (int n = 1; !passed && n < 60; ++n) {
    SCOPED_TRACE("killed at message " + std::to_string(n));
    Baton baton(settings);
    Client client = baton.connect();
    client.get("/bytes/1");
    Command traced{{"sh", "-c",
                    "exec strace -D -f -qq -o /dev/null " + injection("sendmsg", "signal=KILL", n) + " \"$0\" \"$@\"",
                    baton_binary(), "run", "--takeover", "-c", baton.config_path()}};
    Taker taker(traced);
    if (n == 1) {                    // nobody has heard of it
      EXPECT_EQ(taker.await_exit(), (Ended{-1, SIGKILL}));
      continue;
    }
    const std::string line = baton.await_log(std::regex(R"(upgrade: (failed|rolled back|generation))"));
    passed = line.find("upgrade: generation") != std::string::npos;
    if (passed) break;
    ++killed;
    if (line.find("moved=0 ") != std::string::npos) {
      EXPECT_EQ(client.get("/bytes/7").body, pattern(7)) << baton.log();
    }
    taker.await_exit();
    expect_one_instance(baton);
    baton.upgrade();
    expect_one_instance(baton);
  }
  EXPECT_TRUE(passed);
  EXPECT_GE(killed, 4) << "Ready, Listening, Adopted, Bye";
}

}  // namespace
}  // namespace baton::harness
