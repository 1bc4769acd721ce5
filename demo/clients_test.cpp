// The clients directly against the built-in origin: what they accept, and that they detect everything else.
#include <gmock/gmock.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <set>

#include "clients/dialogue.hpp"
#include "demo/load.hpp"
#include "demo/origin.hpp"
#include "demo/patience.hpp"
#include "demo/proxy.hpp"

namespace baton::demo {
namespace {

using boost::asio::ip::tcp;

constexpr Microseconds short_pause{1000};
constexpr auto limit = 3 * hung_after;  // a client that gets no answer reports it after `hung_after`

// One steady client whose third request gets a wrong reply.
std::unique_ptr<Origin> lying_origin(std::function<Reply(std::string_view)> lie) {
  return std::make_unique<Origin>(
      [lie, count = 0](std::string_view target) mutable { return ++count == 3 ? lie(target) : honest_reply(target); });
}

class Clients : public testing::Test {
 protected:
  void await(Trouble kind, std::uint64_t count) {
    EXPECT_TRUE(patience_.wait_until([&] { return tally_.totals().of(kind) == count; }, limit))
        << testing::PrintToString(tally_.complaints());
  }

  // Returns when the load, one steady client, has met the wrong reply; nothing else may have gone wrong.
  void expect_noticed(Trouble kind, std::function<Reply(std::string_view)> lie) {
    const auto origin = lying_origin(std::move(lie));
    Load load({{.server = origin->entrances(), .mix = {.keep_alive = 1, .pause = short_pause}}}, tally_);
    await(kind, 1);
    EXPECT_TRUE(patience_.wait_until([&] { return load.unfinished() == 0; }, limit));
    const Totals totals = tally_.totals();
    EXPECT_EQ(totals.closes() + totals.errors(), 1u);
    EXPECT_EQ(totals.proven, 0u);
    EXPECT_EQ(tally_.complaints().size(), 1u);
  }

  Patience patience_;
  Tally tally_;
};

TEST_F(Clients, AreContentWithAnHonestOrigin) {
  Origin origin;
  Load load({{.server = origin.entrances(), .mix = {.keep_alive = 4, .idle = 3, .half_head = 2, .pause = short_pause}}},
            tally_);
  ASSERT_TRUE(patience_.wait_until([&] { return tally_.totals().answered > 100; }, limit));
  load.finish();
  ASSERT_TRUE(patience_.wait_until([&] { return load.unfinished() == 0; }, limit));

  const Totals totals = tally_.totals();
  EXPECT_EQ(totals.opened, 9u);
  EXPECT_EQ(totals.proven, 9u);
  EXPECT_EQ(totals.errors() + totals.closes(), 0u) << testing::PrintToString(tally_.complaints());
  EXPECT_EQ(tally_.latency().count(), totals.answered);
}

TEST_F(Clients, HoldHalfAHeadUntilAnUpgradeHasPassed) {
  Origin origin;
  Load load({{.server = origin.entrances(), .mix = {.half_head = 5}}}, tally_);
  ASSERT_TRUE(patience_.wait_until([&] { return tally_.totals().opened == 5; }, limit));
  for (std::uint64_t upgrades = 1; upgrades <= 3; ++upgrades) {
    EXPECT_EQ(tally_.totals().answered, 5 * (upgrades - 1));
    load.upgrade_passed();
    EXPECT_TRUE(patience_.wait_until([&] { return tally_.totals().answered == 5 * upgrades; }, limit));
  }
  EXPECT_EQ(tally_.totals().errors() + tally_.totals().closes(), 0u);
}

TEST_F(Clients, NoticeOneWrongByte) {
  expect_noticed(Trouble::wrong_answer, [](std::string_view target) {
    Reply reply = honest_reply(target);
    reply.body.back() = ' ';
    return reply;
  });
}

TEST_F(Clients, NoticeABodyThatIsCut) {
  expect_noticed(Trouble::wrong_answer, [](std::string_view target) {
    Reply reply = honest_reply(target);
    reply.body.pop_back();
    return reply;
  });
}

TEST_F(Clients, NoticeTheAnswerToAnotherRequest) {
  expect_noticed(Trouble::wrong_answer, [](std::string_view) { return honest_reply(clients::request_target(1, 2)); });
}

TEST_F(Clients, NoticeAnErrorStatus) {
  expect_noticed(Trouble::wrong_answer, [](std::string_view target) {
    Reply reply = honest_reply(target);
    reply.status = 502;
    return reply;
  });
}

TEST_F(Clients, NoticeACloseInsteadOfAnAnswer) {
  expect_noticed(Trouble::closed_in_request,
                 [](std::string_view) { return Reply{.body = {}, .then = Reply::Then::close_without_answer}; });
}

TEST_F(Clients, NoticeAnAnnouncedClose) {
  expect_noticed(Trouble::closed_between, [](std::string_view target) {
    Reply reply = honest_reply(target);
    reply.then = Reply::Then::close;
    return reply;
  });
  EXPECT_THAT(tally_.complaints(), testing::ElementsAre(testing::HasSubstr("told that")));
}

TEST_F(Clients, NoticeThatNoAnswerComes) {
  expect_noticed(Trouble::no_answer,
                 [](std::string_view) { return Reply{.body = {}, .then = Reply::Then::stay_silent}; });
}

TEST_F(Clients, NoticeThatAnIdleConnectionIsClosed) {
  auto origin = std::make_unique<Origin>();
  Load load({{.server = origin->entrances(), .mix = {.idle = 4}}}, tally_);
  ASSERT_TRUE(patience_.wait_until([&] { return tally_.totals().answered == 2; }, limit));
  origin.reset();
  await(Trouble::closed_between, 4);
}

TEST_F(Clients, NoticeACloseWithHalfAHeadUnderWay) {
  auto origin = std::make_unique<Origin>();
  Load load({{.server = origin->entrances(), .mix = {.half_head = 4}}}, tally_);
  ASSERT_TRUE(patience_.wait_until([&] { return tally_.totals().opened == 4; }, limit));
  origin.reset();
  await(Trouble::closed_in_request, 4);
}

TEST_F(Clients, NoticeBytesThatNobodyAskedFor) {
  boost::asio::io_context context{1};
  tcp::acceptor acceptor(context, {boost::asio::ip::address_v4::loopback(), 0});
  Load load({{.server = {.http = {acceptor.local_endpoint(), nullptr}, .tcp = {}}, .mix = {.idle = 1}}},
            tally_);  // client 1 sends nothing before the end
  tcp::socket socket = acceptor.accept();
  boost::asio::write(socket, boost::asio::buffer("HTTP/1.1 408 Request Timeout\r\n\r\n", 32));
  await(Trouble::wrong_answer, 1);
  EXPECT_THAT(tally_.complaints(), testing::ElementsAre(testing::HasSubstr("bytes that nobody asked for")));
}

TEST_F(Clients, NoticeThatNobodyListens) {
  const auto nobody = make_entrances(free_endpoints(), make_certificate());
  Load load({{.server = of(nobody, Transport::plain), .mix = {.keep_alive = 1, .idle = 1, .half_head = 1}}}, tally_);
  await(Trouble::not_connected, 3);
  EXPECT_EQ(tally_.totals().opened, 0u);
}

TEST(Dialogue, BodiesDifferForAllRequestsAndStaySmall) {
  std::set<std::string> bodies;
  for (unsigned client = 1; client <= 20; ++client) {
    for (unsigned serial = 1; serial <= 50; ++serial) {
      const std::string body = clients::expected_body(clients::request_target(client, serial));
      EXPECT_LE(body.size(), 4096u);
      EXPECT_TRUE(bodies.insert(body).second);
    }
  }
}

TEST(Mix, HasClientsOfEveryKindThatTogetherAskAtTheRate) {
  const Mix mix = Mix::of(300, 3000);
  EXPECT_EQ(mix.clients(), 300u);
  EXPECT_EQ(mix.keep_alive, 200u);
  EXPECT_EQ(mix.pause, Microseconds{73'333});
  EXPECT_EQ(mix.upload, 5u);
  EXPECT_EQ(mix.newcomers_per_second, 50u);
  EXPECT_EQ(Mix::of(0, 0).clients(), 11u);
}

TEST(Mix, HasEveryKindOverEveryTransport) {
  for (const unsigned clients : {0u, 40u, 300u, 5000u}) {
    unsigned sum = 0;
    for (const Mix& mix : mix_by_transport(clients, 3000)) {
      sum += mix.clients();
      for (const unsigned some :
           {mix.keep_alive, mix.idle, mix.half_head, mix.download, mix.slow_reader, mix.events, mix.upload,
            mix.websocket, mix.http2, mix.grpc, mix.raw_tcp, mix.newcomers_per_second}) {
        EXPECT_GE(some, 1u);
      }
    }
    EXPECT_EQ(sum, std::max(clients, 33u));
  }
}

}  // namespace
}  // namespace baton::demo
