#include "demo/askers.hpp"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <set>

#include "demo/canary_marks.hpp"
#include "demo/origin.hpp"
#include "demo/patience.hpp"

namespace baton::demo {
namespace {

using boost::asio::ip::tcp;

TEST(Askers, ConnectFromAnAddressEach) {
  boost::asio::io_context context{1};
  tcp::acceptor acceptor(context, free_port());
  const Askers askers({acceptor.local_endpoint(), nullptr});
  std::set<boost::asio::ip::address> addresses;
  for (unsigned i = 0; i < Askers::number; ++i) {
    tcp::endpoint from;
    (void)acceptor.accept(from);
    addresses.insert(from.address());
  }
  EXPECT_EQ(addresses.size(), Askers::number);
  EXPECT_FALSE(addresses.contains(boost::asio::ip::address_v4::loopback())) << "the address of all other clients";
}

TEST(Askers, TolerateFailuresAndTellWhose) {
  const Origin origin([](std::string_view target) -> Reply {
    if (!target.starts_with(asked_prefix)) return {.status = 404};
    if (target.contains("/client/1/") || target.contains("/client/2/"))
      return {.status = 502, .body = std::string(canary_page)};
    if (target.contains("/client/3/")) return {.status = 502, .body = "Bad Gateway\n"};
    return honest_reply(target);
  });
  Patience patience;
  Askers askers(origin.entrances().http);
  ASSERT_TRUE(patience.wait_until([&] { return askers.seen().totals.answered > 3 * Askers::number; }, hung_after));
  askers.finish();
  ASSERT_TRUE(patience.wait_until([&] { return askers.unfinished() == 0; }, 2 * hung_after));
  const AskersView seen = askers.seen();
  EXPECT_THAT(askers.complaints(), testing::IsEmpty());
  EXPECT_EQ(seen.totals.proven, Askers::number);
  EXPECT_EQ(seen.served, 2u);
  EXPECT_EQ(seen.failed, 2u);
  EXPECT_EQ(seen.failed_outside, 1u);
  EXPECT_GT(seen.seconds, 0);
}

TEST(Askers, TolerateNothingElse) {
  const Origin origin([](std::string_view target) -> Reply {
    return target.contains("/client/3/") ? Reply{.status = 404} : honest_reply(target);
  });
  Patience patience;
  const Askers askers(origin.entrances().http);
  EXPECT_TRUE(patience.wait_until([&] { return askers.seen().totals.errors() == 1; }, hung_after));
  EXPECT_THAT(askers.complaints(), testing::ElementsAre(testing::HasSubstr("status 404")));
}

}  // namespace
}  // namespace baton::demo
