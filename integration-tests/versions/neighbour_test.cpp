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
  explicit Neighbour(std::string version_ = unreleased) : version(std::move(version_)) {}

  // Every record of both sides is rewritten; the report says that everything has moved nevertheless.
  void upgrade_past(const std::string& relay) {
    serving.put_in_place(RELAY, "relay", relay);
    const std::string report = serving.baton.upgrade();
    EXPECT_NE(report.find(serving.all_moved(version)), std::string::npos) << report;
  }

  const std::string version;  // whose connections there are
  ServingEveryKind serving{version};
};

class EarlierNeighbour : public Neighbour {
 protected:
  EarlierNeighbour() : Neighbour("0.1.0") {}
};

TEST_F(Neighbour, OfALaterVersionIsUnderstood) {
  upgrade_past("newer");
  serving.clients.go_on();
  EXPECT_EQ(serving.baton.number("last_upgrade.moved_total"), static_cast<std::int64_t>(kinds_of(version).size()))
      << "the report came through too";
}

TEST_F(EarlierNeighbour, IsUnderstood) {
  upgrade_past("older");
  serving.clients.go_on();
  EXPECT_EQ(serving.baton.connect().get("/bytes/9").body, pattern(9));
  EXPECT_EQ(serving.baton.number("last_upgrade.moved_total"), 0) << "there was no report";
}

// A predecessor that sends no clock is assumed to have ours; otherwise the successor's deadlines would never come.
TEST_F(EarlierNeighbour, WithoutAClockHasItsTimesUnderstoodAllTheSame) {
  Settings impatient = settings_for_every_kind(serving.servers, serving.web, serving.raw);
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
  EXPECT_NE(report.find("moved=10 (exchange: 6, head: 1, idle: 1, tunnel: 2), taken_back=0, refused=1 "
                        "(the successor does not know the feature time travel: 1)"),
            std::string::npos)
      << report;
  serving.servers.origin.gate().open();
  for (const ConnectionKind& kind : kinds_of(version)) {
    SCOPED_TRACE(kind.name());
    if (kind.kind == clients::Kind::websocket) continue;
    kind.go_on(serving.clients.client(kind.name()));
  }
  EXPECT_TRUE(is_alive(predecessor)) << "it serves what was refused";
  EXPECT_NE(serving.baton.pid_in_file(), predecessor);
  for (const ConnectionKind& kind : kinds_of(version)) {
    if (kind.kind == clients::Kind::websocket) kind.go_on(serving.clients.client(kind.name()));
  }
  EXPECT_EQ(serving.baton.await_exit(), (Ended{0, 0}));
}

}  // namespace
}  // namespace baton::versions
