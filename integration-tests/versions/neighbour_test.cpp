// Two real processes, each of which takes the other for one of another version: the relay between them rewrites every
// record. Unknown fields are skipped, missing ones are optional, and no connection notices.
#include <gtest/gtest.h>

#include "harness/log_lines.hpp"
#include "neighbour.hpp"
#include "serving_every_kind.hpp"

namespace baton::versions {
namespace {

using namespace harness;

class Neighbour : public testing::Test {
 protected:
  // Every record of both sides is rewritten; the report says that everything has moved nevertheless.
  void upgrade_past(const std::string& relay) {
    serving.put_in_place(RELAY, "relay", relay);
    const std::string report = serving.baton.upgrade();
    EXPECT_NE(report.find("moved=8 (exchange: 3, head: 1, idle: 1, tunnel: 3), taken_back=0, refused=0"),
              std::string::npos)
        << report;
  }

  ServingEveryKind serving;
};

TEST_F(Neighbour, OfALaterVersionIsUnderstood) {
  upgrade_past("newer");
  serving.clients.go_on();
  EXPECT_EQ(serving.baton.number("last_upgrade.moved_total"), 8) << "the report came through too";
}

TEST_F(Neighbour, OfAnEarlierVersionIsUnderstood) {
  upgrade_past("older");
  serving.clients.go_on();
  EXPECT_EQ(serving.baton.connect().get("/bytes/9").body, pattern(9));
  EXPECT_EQ(serving.baton.number("last_upgrade.moved_total"), 0) << "there was no report";
}

// A predecessor that sends no clock is assumed to have ours; otherwise the successor's deadlines would never come.
TEST_F(Neighbour, WithoutAClockHasItsTimesUnderstoodAllTheSame) {
  Settings impatient = settings_for_every_kind(serving.origin, serving.web, serving.raw);
  impatient.timeouts = "idle: 300ms";
  replace_file(serving.baton.config_path(), to_yaml(impatient, serving.baton.directory()));
  upgrade_past("older");
  serving.clients.client(clients::Kind::idle).expect_fin();
}

TEST_F(Neighbour, ThatLacksAFeatureRefusesOnlyWhatNeedsIt) {
  const pid_t predecessor = serving.baton.pid();
  serving.put_in_place(RELAY, "relay", "demanding");
  serving.baton.begin_upgrade();
  const std::string report = serving.baton.await_log(log_lines::upgrade_report);
  EXPECT_NE(report.find("moved=7 (exchange: 3, head: 1, idle: 1, tunnel: 2), taken_back=0, refused=1 "
                        "(the successor does not know the feature time travel: 1)"),
            std::string::npos)
      << report;
  serving.origin.gate().open();
  for (const ConnectionKind& kind : kinds()) {
    SCOPED_TRACE(clients::name_of(kind.kind));
    if (kind.kind == clients::Kind::websocket) continue;
    kind.go_on(serving.clients.client(kind.kind));
  }
  EXPECT_TRUE(is_alive(predecessor)) << "it serves what was refused";
  EXPECT_NE(serving.baton.pid_in_file(), predecessor);
  for (const ConnectionKind& kind : kinds()) {
    if (kind.kind == clients::Kind::websocket) kind.go_on(serving.clients.client(kind.kind));
  }
  EXPECT_EQ(serving.baton.await_exit(), (Ended{0, 0}));
}

}  // namespace
}  // namespace baton::versions
