// The catalogue itself.
#include "clients/kinds.hpp"

#include <gtest/gtest.h>

#include <set>

namespace baton::clients {
namespace {

TEST(Catalogue, NamesAndDescribesEachKindOnce) {
  std::set<std::string_view> names;
  for (const KindOfClient& one : catalogue) {
    EXPECT_TRUE(names.insert(one.name).second) << one.name;
    EXPECT_FALSE(one.does.empty()) << one.name;
    EXPECT_FALSE(one.checked.empty()) << one.name;
  }
}

TEST(Catalogue, SaysOverWhichTransportsAKindIsPlayed) {
  EXPECT_TRUE(applies(Kind::idle, Transport::plain));
  EXPECT_TRUE(applies(Kind::idle, Transport::tls12));
  EXPECT_FALSE(applies(Kind::half_record, Transport::plain));
  EXPECT_TRUE(applies(Kind::half_record, Transport::tls12));
  EXPECT_FALSE(applies(Kind::key_updates, Transport::tls12));
  EXPECT_TRUE(applies(Kind::key_updates, Transport::tls13));
}

TEST(Catalogue, NamesTheTransportUnlessItIsPlain) {
  EXPECT_EQ(name_of(Kind::half_head, Transport::plain), "half a head");
  EXPECT_EQ(name_of(Kind::keep_alive, Transport::tls13), "TLS 1.3 keep-alive");
}

}  // namespace
}  // namespace baton::clients
