// What names were last known to mean, and whom listeners trust, reaches the successor whole; nothing that is no address
// does.
#include "proxy/state/instance_record.hpp"

#include <gtest/gtest.h>

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
