// The keys of session tickets: how long they live, and how a successor gets them.
#include "proxy/tls/ticket_keys.hpp"

#include <gtest/gtest.h>

#include <string>
#include <type_traits>

namespace baton::tls {
namespace {

constexpr std::int64_t lifetime_ms = session_lifetime_s * 1000;

bool same(const TicketKey& one, const TicketKey& other) {
  return one.name == other.name && one.cipher == other.cipher && one.mac == other.mac;
}

// None: the key is unknown. Otherwise: whether it is the current one.
std::optional<bool> found(const TicketKeys& keys, const TicketKey& key) {
  const auto result = keys.find(key.name.data());
  if (!result) return std::nullopt;
  EXPECT_TRUE(same(result->first, key));
  return result->second;
}

TEST(TicketKeys, AreOfRandomNumbersAndDifferInEachProcess) {
  const TicketKeys one;
  const TicketKeys other;
  EXPECT_NE(one.current().name, other.current().name);
  EXPECT_NE(one.current().cipher, other.current().cipher);
  EXPECT_NE(one.current().mac, other.current().mac);
  EXPECT_EQ(found(one, other.current()), std::nullopt);
}

TEST(TicketKeys, OneServesForALifetimeAndIsKnownForAnother) {
  TicketKeys keys;
  const TicketKey first = keys.current();
  keys.rotate_if_due(1'000);
  keys.rotate_if_due(1'000 + lifetime_ms - 1);
  EXPECT_TRUE(same(keys.current(), first));

  keys.rotate_if_due(1'000 + lifetime_ms);
  const TicketKey second = keys.current();
  EXPECT_FALSE(same(second, first));
  EXPECT_EQ(found(keys, second), true);
  EXPECT_EQ(found(keys, first), false);
  keys.rotate_if_due(1'000 + 2 * lifetime_ms - 1);
  EXPECT_EQ(found(keys, first), false) << "a ticket that was made with its last breath lives as long";

  keys.rotate_if_due(1'000 + 2 * lifetime_ms);
  EXPECT_EQ(found(keys, first), std::nullopt);
  EXPECT_EQ(found(keys, second), false);
}

TEST(TicketKeys, ASuccessorGoesOnWithThemAndWithTheirAge) {
  TicketKeys before;
  before.rotate_if_due(1'000);
  before.rotate_if_due(1'000 + lifetime_ms);
  const handoff::SecretBytes saved = before.save(1'000 + lifetime_ms + 500);

  TicketKeys after;
  const TicketKey own = after.current();
  ASSERT_TRUE(after.restore(saved.view(), 50'000));
  EXPECT_TRUE(same(after.current(), before.current()));
  EXPECT_EQ(found(after, own), std::nullopt);
  const handoff::SecretBytes again = after.save(50'000);
  EXPECT_EQ(again.view(), saved.view()) << "nothing is lost on the way";
  after.rotate_if_due(50'000 + lifetime_ms - 501);
  EXPECT_TRUE(same(after.current(), before.current()));
  after.rotate_if_due(50'000 + lifetime_ms - 500);
  EXPECT_FALSE(same(after.current(), before.current()));
}

TEST(TicketKeys, AreNotRestoredFromWhatIsNone) {
  TicketKeys keys;
  const TicketKey own = keys.current();
  TicketKeys other;
  other.rotate_if_due(1'000);
  other.rotate_if_due(1'000 + lifetime_ms);
  const std::string saved(other.save(1'000 + lifetime_ms).view());
  constexpr std::size_t one = 80;
  for (std::size_t bytes = 0; bytes < saved.size(); ++bytes) {
    if (bytes == saved.size() - one) continue;       // with one key less it is still complete
    ASSERT_FALSE(keys.restore(std::string_view(saved).substr(0, bytes), 0)) << bytes;
  }
  EXPECT_FALSE(keys.restore(saved + "x", 0));
  EXPECT_FALSE(keys.restore(saved + saved.substr(saved.size() - one), 0)) << "more keys than there can be";
  std::string of_the_future = saved;
  of_the_future[7] = '\x80';
  EXPECT_FALSE(keys.restore(of_the_future, 0));
  EXPECT_TRUE(same(keys.current(), own)) << "what was there is there still";
  EXPECT_TRUE(keys.restore(saved, 0));
}

TEST(TicketKeys, AreCleansedWhenTheyGo) {
  alignas(TicketKey) unsigned char memory[sizeof(TicketKey)];
  const TicketKey key = TicketKeys().current();
  const auto* const copy = new (memory) TicketKey(key);
  ASSERT_TRUE(same(*copy, key));
  copy->~TicketKey();
  for (const volatile unsigned char& byte : memory) ASSERT_EQ(byte, 0);
}

}  // namespace
}  // namespace baton::tls
