// What names were last known to mean, and whom listeners trust, reaches the successor whole; nothing that is no address
// does.
#include "proxy/state/instance_record.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "proxy/state/state.pb.h"

namespace baton::state {
namespace {

NamedServer server(Family family, std::uint8_t last) {
  NamedServer one{.address = {}, .weight = 7, .backup = true};
  one.address.family = family;
  one.address.port = 80;
  one.address.ip[family == Family::ipv4 ? 3 : 15] = last;
  return one;
}

TEST(KnownNames, ReachTheSuccessor) {
  InstanceRecord record;
  record.names["app.test:80 any"] = {server(Family::ipv4, 1), server(Family::ipv6, 2)};
  record.names["srv:_http._tcp.app.test any 127.0.0.1:53"] = {server(Family::ipv4, 3)};
  const auto decoded = decode_instance_record(encode(record));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->names, record.names);
}

TEST(Crashes, ReachTheSuccessor) {
  InstanceRecord record;
  record.keeper = 4711;
  record.shares_ledger = true;
  record.holds_lock = true;
  record.logs_json = true;
  record.crashes = {
      .total = 3, .in_a_row = 2, .whole_total = 40, .lost_total = 2, .last = {1, 11, 5, 20, 1, 9, {"one", "other"}}};
  const auto decoded = decode_instance_record(encode(record));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, record);
}

UpgradeRecord upgrade(std::int64_t number) {
  return {.result = "rolled_back",
          .reason = "the successor died",
          .report = {.from = {1, 2, "0.1.0"},
                     .to = {2, number, "0.2.0"},
                     .moved = {{"idle", 3}, {"exchange", 4}},
                     .refused = {{"too old", 1}},
                     .taken_back = 5,
                     .returned = 8,
                     .left_behind = 6,
                     .left_behind_ms = 7,
                     .pauses = {1, 2, 3, {0, 1, 5}},
                     .duration_us = 9},
          .at_ms = 1'700'000'000'000,
          .steps = {{"started", 0}, {"failed", 41}}};
}

TEST(Upgrades, ReachTheSuccessor) {
  InstanceRecord record;
  for (std::int64_t i = 0; i < 3; ++i) record.upgrades.add(upgrade(i));
  record.upgrade = upgrade(7);
  const auto decoded = decode_instance_record(encode(record));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, record);
  EXPECT_EQ(decoded->upgrades.all()[0].report.to.pid, 2) << "the newest first";
}

CanaryRecord canary() {
  return {.share = 500,
          .verdict = "back",
          .decided_by = "comparison",
          .text = "it is worse",
          .evidence = 123.5,
          .canary = {.exchanges = 1, .exposures = 2, .clients_failed = 3},
          .others = {.exchanges = 4, .exposures = 5, .clients_failed = 6}};
}

TEST(Canaries, AreInTheRecordOfTheirUpgrade) {
  InstanceRecord record;
  record.upgrade = upgrade(1);
  record.upgrade->canary = canary();
  record.canary = CanaryClients{.key = std::string(16, 'k'), .share = 5'000, .divided = {"1234", "5678"}};
  EXPECT_EQ(decode_instance_record(encode(record)), record);
}

TEST(Canaries, AreReadWithWhateverNumbers) {
  wire::Instance instance;
  instance.mutable_upgrade()->mutable_canary()->set_share(70'000);
  instance.mutable_upgrade()->mutable_canary()->set_evidence(std::nan(""));
  const auto decoded = decode_instance_record(instance.SerializeAsString());
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->upgrade->canary->share, 10'000);
  EXPECT_EQ(decoded->upgrade->canary->evidence, 1);
  const CanarySide side{.exchanges = 1, .exposures = UINT64_MAX, .clients_failed = 0};
  EXPECT_EQ(decode_canary_side(encode(side)), side);
  EXPECT_FALSE(decode_canary_side("\xff"));
}

TEST(Upgrades, AreTheLastTen) {
  wire::Instance instance;
  for (int i = 0; i < 12; ++i) instance.add_upgrades()->set_at_ms(i);
  const auto decoded = decode_instance_record(instance.SerializeAsString());
  ASSERT_TRUE(decoded);
  ASSERT_EQ(decoded->upgrades.all().size(), upgrades_kept);
  EXPECT_EQ(decoded->upgrades.all().front().at_ms, 0);
  EXPECT_EQ(decoded->upgrades.all().back().at_ms, 9);
}

// However long a reason is, and however many there are, the record stays small.
TEST(Upgrades, AreBoundInSize) {
  UpgradeRecord large = upgrade(1);
  large.reason.assign(1'000'000, 'x');
  large.report.to.version.assign(1'000'000, 'x');
  for (int i = 0; i < 1000; ++i) {
    large.report.refused[std::string(10'000, 'x') + std::to_string(i)] = 1;
    large.steps.push_back({std::string(1000, 'x'), 1});
    large.report.pauses.by_log2.push_back(1);
  }
  InstanceRecord record;
  for (int i = 0; i < 20; ++i) record.upgrades.add(large);
  const std::string bytes = encode(record);
  EXPECT_LT(bytes.size(), 600'000u);
  const auto decoded = decode_instance_record(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->upgrades.all().size(), upgrades_kept);
}

TEST(History, ReachesTheSuccessor) {
  InstanceRecord record;
  record.history.add(10'000, {.requests = 5, .failures = 1, .p50_ms = 2, .p99_ms = 30, .connections = 7}, {50, 10});
  record.history.add(40'000, {.requests = 6}, {56, 10});
  const auto decoded = decode_instance_record(encode(record));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->history, record.history);
}

TEST(History, OfAnotherShapeIsNone) {
  wire::Instance instance;
  instance.mutable_history()->set_until_ms(10'000);
  instance.mutable_history()->add_requests(1);
  const auto decoded = decode_instance_record(instance.SerializeAsString());
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->history, History());
}

TEST(ListenerTrust, ReachesTheSuccessor) {
  InstanceRecord record;
  record.trust = {{"web", {"10.0.0.0/8", "fd00::/8"}, false}, {"path", {}, true}, {"none", {}, false}};
  const auto decoded = decode_instance_record(encode(record));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->trust, record.trust);
}

TEST(KnownNames, ThatCannotBeReadAreAskedForInstead) {
  const auto with = [](auto spoil) {
    wire::Instance instance;
    wire::KnownName& name = *instance.add_names();
    name.set_question("app.test:80 any");
    wire::NamedServer& one = *name.add_servers();
    one.set_ip(std::string(4, '\1'));
    one.set_port(80);
    spoil(name);
    const auto decoded = decode_instance_record(instance.SerializeAsString());
    return decoded && decoded->names.size() == 1;
  };
  EXPECT_TRUE(with([](auto&) {}));
  EXPECT_FALSE(with([](auto& name) { name.clear_servers(); }));
  EXPECT_FALSE(with([](auto& name) { name.mutable_servers(0)->set_ip("123"); }));
  EXPECT_FALSE(with([](auto& name) { name.mutable_servers(0)->set_port(65'536); }));
  EXPECT_FALSE(with([](auto& name) { name.mutable_servers(0)->set_port(0); }));
  EXPECT_FALSE(with([](auto& name) { name.mutable_servers(0)->set_weight(257); }));
}

}  // namespace
}  // namespace baton::state
