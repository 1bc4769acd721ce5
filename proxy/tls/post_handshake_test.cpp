#include "proxy/tls/post_handshake.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/tls/record_layer.hpp"
#include "proxy/tls/testing/record_probe.hpp"

namespace baton::tls {
namespace {

using probe::OtherSide;

constexpr std::size_t plenty = 1 << 20;

std::uint8_t code(Alert alert) { return static_cast<std::uint8_t>(alert); }

// A leg, its record layer and the other side.
struct Talk {
  state::Leg leg;
  state::Tls& tls;
  OtherSide other;
  std::unique_ptr<RecordLayer> records;

  Talk(std::uint16_t version, bool is_client)
      : leg(probe::established_leg(*find_suite(version, version == tls13 ? 0x1301 : 0xC02F), is_client)),
        tls(*leg.tls),
        other(tls),
        records(RecordLayer::make(tls)) {}

  Opened hear(std::string_view bytes) {
    tls.received.append(bytes);
    return records->open(leg, plenty);
  }
  Opened hear_alert(char level, Alert alert) {
    return hear(other.seal(probe::alert, std::string{level, static_cast<char>(alert)}));
  }
  Opened hear_handshake(std::string_view content) { return hear(other.seal(probe::handshake, content)); }

  // The connection continues as if nothing had happened.
  void expect_alive() {
    leg.unread.clear();
    EXPECT_EQ(hear(other.data("alive")), Opened::some);
    EXPECT_EQ(leg.unread.view(), "alive");
  }
  void expect_failed(Opened opened, Alert alert) {
    EXPECT_EQ(opened, Opened::failed);
    EXPECT_EQ(tls.alert, code(alert)) << records->failure();
    EXPECT_NE(records->failure(), "");
    EXPECT_TRUE(leg.unread.empty());
  }
};

struct Modern : Talk {
  explicit Modern(bool is_client = false) : Talk(tls13, is_client) {}
};
struct Classic : Talk {
  explicit Classic(bool is_client = false) : Talk(tls12, is_client) {}
};

// ── Alerts ────────────────────────────────────────────────────────────────────────────────────────────────────────

TEST(CloseNotify, EndsReadingAndNothingAfterItIsLookedAt) {
  for (const std::uint16_t version : {tls12, tls13}) {
    Talk talk{version, false};
    EXPECT_EQ(talk.hear(probe::in_order(
                  {talk.other.data("last words"), talk.other.seal(probe::alert, {"\1\0", 2}), "rubbish"})),
              Opened::some);
    EXPECT_EQ(talk.leg.unread.view(), "last words");
    EXPECT_TRUE(talk.leg.read_ended);
    EXPECT_TRUE(talk.tls.close_received);
    EXPECT_EQ(talk.hear(talk.other.data("more")), Opened::nothing);
    EXPECT_EQ(talk.leg.unread.view(), "last words");
    EXPECT_TRUE(talk.tls.received.empty());
    EXPECT_EQ(talk.tls.alert, 0);
    EXPECT_EQ(talk.tls.end, state::TlsEnd::open);
  }
}

TEST(FatalAlert, EndsEverythingAndIsNotAnswered) {
  for (const std::uint16_t version : {tls12, tls13}) {
    Talk talk{version, false};
    EXPECT_EQ(talk.hear_alert(2, static_cast<Alert>(46)), Opened::failed);
    EXPECT_EQ(talk.records->failure(), "the other side sent the alert certificate_unknown");
    EXPECT_EQ(talk.tls.alert, 0);
    EXPECT_TRUE(talk.leg.read_ended);
    EXPECT_FALSE(talk.tls.close_received);
    EXPECT_EQ(talk.hear(talk.other.data("more")), Opened::failed);
    EXPECT_TRUE(talk.leg.unread.empty());
    EXPECT_FALSE(talk.records->seal(talk.leg, 0));
  }
}

TEST(FatalAlert, IsFatalInTls13WhateverItsLevel) {
  for (const char level : {0, 1, 2, 3}) {
    Modern talk;
    EXPECT_EQ(talk.hear_alert(level, Alert::internal_error), Opened::failed);
    EXPECT_EQ(talk.tls.alert, 0);
  }
  Modern talk;
  EXPECT_EQ(talk.hear_alert(1, static_cast<Alert>(200)), Opened::failed);
  EXPECT_EQ(talk.records->failure(), "the other side sent an unknown alert");
}

TEST(FatalAlert, IsHeardEvenWithinAHandshakeMessage) {
  Modern talk{true};
  talk.hear_handshake(probe::ticket(30).substr(0, 10));
  EXPECT_EQ(talk.hear_alert(2, Alert::internal_error), Opened::failed);
  EXPECT_EQ(talk.tls.alert, 0);
}

TEST(Warning, IsIgnored) {
  Modern modern;
  EXPECT_EQ(modern.hear_alert(1, Alert::user_canceled), Opened::some);
  modern.expect_alive();
  Classic classic;
  EXPECT_EQ(classic.hear_alert(1, Alert::no_renegotiation), Opened::some);
  EXPECT_EQ(classic.hear_alert(1, static_cast<Alert>(112)), Opened::some);
  classic.expect_alive();
  EXPECT_FALSE(classic.leg.read_ended);
}

TEST(Alerts, AreExactlyOneInARecord) {
  for (const std::uint16_t version : {tls12, tls13}) {
    for (const std::string_view content : {std::string_view{"\1"}, std::string_view{"\1\0\1\0", 4}}) {
      Talk talk{version, false};
      talk.expect_failed(talk.hear(talk.other.seal(probe::alert, content)), Alert::decode_error);
      EXPECT_FALSE(talk.tls.close_received);
    }
    Talk talk{version, false};
    talk.expect_failed(talk.hear(talk.other.seal(probe::alert, "")), Alert::unexpected_message);
  }
}

TEST(Alerts, HaveALevelInTls12) {
  Classic talk;
  talk.expect_failed(talk.hear_alert(3, Alert::internal_error), Alert::illegal_parameter);
}

// ── Handshake messages ────────────────────────────────────────────────────────────────────────────────────────────

TEST(KeyUpdate, BringsTheNextKeys) {
  for (const bool requested : {false, true}) {
    Modern talk;
    EXPECT_EQ(talk.hear_handshake(probe::key_update(requested)), Opened::some);
    talk.other.update_sending_keys();
    EXPECT_EQ(talk.tls.read, talk.other.sending());
    EXPECT_EQ(talk.tls.key_update_owed, requested);
    talk.expect_alive();
  }
}

TEST(KeyUpdate, MayBeSplitIfItsEndIsTheEndOfARecord) {
  for (const std::size_t cut : {1UZ, 2UZ, 3UZ, 4UZ}) {
    Modern talk;
    const std::string message = probe::key_update(true);
    talk.hear_handshake(message.substr(0, cut));
    EXPECT_EQ(talk.tls.read.sequence, 1U);
    talk.hear_handshake(message.substr(cut));
    talk.other.update_sending_keys();
    talk.expect_alive();
  }
}

TEST(KeyUpdate, EndsItsRecord) {
  Modern server;
  server.expect_failed(server.hear_handshake(probe::key_update(false) + probe::key_update(false)),
                       Alert::unexpected_message);
  Modern client{true};
  client.expect_failed(client.hear_handshake(probe::key_update(false) + probe::ticket(9)), Alert::unexpected_message);
}

TEST(KeyUpdate, HasOneByteThatIsZeroOrOne) {
  const auto expect = [](std::string_view body, Alert alert) {
    Modern talk;
    const state::TlsDirection before = talk.tls.read;
    talk.expect_failed(talk.hear_handshake(probe::message(24, body)), alert);
    EXPECT_EQ(talk.tls.read.secrets, before.secrets);
  };
  expect("\2", Alert::illegal_parameter);
  expect("\xff", Alert::illegal_parameter);
  expect("", Alert::decode_error);
  expect({"\0\0", 2}, Alert::decode_error);
}

TEST(KeyUpdate, IsNothingThatTls12Knows) {
  Classic talk;
  talk.expect_failed(talk.hear_handshake(probe::key_update(false)), Alert::unexpected_message);
}

TEST(Tickets, AreSkippedHoweverTheyAreCut) {
  const std::string tickets = probe::ticket(40) + probe::ticket(0) + probe::ticket(17);
  for (std::size_t cut = 1; cut < tickets.size(); ++cut) {
    Modern talk{true};
    EXPECT_EQ(talk.hear_handshake(tickets.substr(0, cut)), Opened::some);
    EXPECT_EQ(talk.hear_handshake(tickets.substr(cut)), Opened::some);
    talk.expect_alive();
  }
  Modern talk{true};
  EXPECT_EQ(talk.hear_handshake(tickets), Opened::some);
  EXPECT_EQ(talk.hear_handshake(probe::ticket(12) + probe::key_update(false)), Opened::some);
  talk.other.update_sending_keys();
  talk.expect_alive();
}

TEST(Tickets, AreForClientsAndForTls13) {
  Modern server;
  server.expect_failed(server.hear_handshake(probe::ticket(40)), Alert::unexpected_message);
  Classic client{true};
  client.expect_failed(client.hear_handshake(probe::ticket(40)), Alert::unexpected_message);
}

TEST(Renegotiation, IsDeclinedAndSkipped) {
  const std::string hello = probe::message(1, std::string(300, 'h'));
  for (std::size_t cut = 1; cut < hello.size(); ++cut) {
    Classic server;
    EXPECT_EQ(server.hear_handshake(hello.substr(0, cut)), Opened::some);
    EXPECT_EQ(server.tls.no_renegotiation_owed, cut >= 4);
    EXPECT_EQ(server.hear_handshake(hello.substr(cut)), Opened::some);
    EXPECT_TRUE(server.tls.no_renegotiation_owed);
    server.expect_alive();
  }
  Classic client{true};
  EXPECT_EQ(client.hear_handshake(probe::message(0, "")), Opened::some);
  EXPECT_TRUE(client.tls.no_renegotiation_owed);
  client.expect_alive();
}

TEST(Renegotiation, IsNothingThatTheWrongSideOrTls13MayAskFor) {
  Classic server;
  server.expect_failed(server.hear_handshake(probe::message(0, "")), Alert::unexpected_message);
  Classic client{true};
  client.expect_failed(client.hear_handshake(probe::message(1, "hello")), Alert::unexpected_message);
  Modern modern;
  modern.expect_failed(modern.hear_handshake(probe::message(1, "hello")), Alert::unexpected_message);
}

TEST(HandshakeMessages, OfAnyOtherTypeAreFatal) {
  for (const std::uint16_t version : {tls12, tls13}) {
    for (const bool is_client : {false, true}) {
      for (unsigned type = 0; type < 256; ++type) {
        const bool known = version == tls13 ? type == 24 || (is_client && type == 4) : type == (is_client ? 0U : 1U);
        if (known) continue;
        Talk talk{version, is_client};
        talk.expect_failed(talk.hear_handshake(probe::message(static_cast<std::uint8_t>(type), "x")),
                           Alert::unexpected_message);
      }
    }
  }
}

TEST(HandshakeMessages, AreNotEmptyRecords) {
  Modern modern;
  modern.expect_failed(modern.hear_handshake(""), Alert::unexpected_message);
  Classic classic;
  classic.expect_failed(classic.hear_handshake(""), Alert::unexpected_message);
}

TEST(HandshakeMessages, AreNotInterruptedByOtherRecords) {
  for (const std::size_t cut : {2UZ, 4UZ, 20UZ}) {
    const std::string half = probe::ticket(40).substr(0, cut);
    Modern data{true};
    data.hear_handshake(half);
    data.expect_failed(data.hear(data.other.data("data")), Alert::unexpected_message);
    Modern empty{true};
    empty.hear_handshake(half);
    empty.expect_failed(empty.hear(empty.other.data("")), Alert::unexpected_message);
    Modern close{true};
    close.hear_handshake(half);
    close.expect_failed(close.hear_alert(1, Alert::close_notify), Alert::unexpected_message);
    EXPECT_FALSE(close.leg.read_ended);
  }
  Classic classic;
  classic.hear_handshake(probe::message(1, "hello").substr(0, 6));
  classic.expect_failed(classic.hear(classic.other.data("data")), Alert::unexpected_message);
}

// ── Floods ────────────────────────────────────────────────────────────────────────────────────────────────────────

struct Flood {
  std::string name;
  std::uint16_t version;
  std::string (*record)(OtherSide&);
};

const Flood floods[] = {
    {"EmptyData", tls13, [](OtherSide& other) { return other.data(""); }},
    {"EmptyDataTls12", tls12, [](OtherSide& other) { return other.data(""); }},
    {"Padding", tls13, [](OtherSide& other) { return other.seal(probe::application_data, "", 1000); }},
    {"UserCanceled", tls13, [](OtherSide& other) { return other.seal(probe::alert, {"\1\x5a", 2}); }},
    {"Warnings", tls12, [](OtherSide& other) { return other.seal(probe::alert, {"\1\x70", 2}); }},
    {"Renegotiations", tls12, [](OtherSide& other) { return other.seal(probe::handshake, probe::message(1, "x")); }},
    {"KeyUpdates", tls13,
     [](OtherSide& other) {
       const std::string record = other.seal(probe::handshake, probe::key_update(true));
       other.update_sending_keys();
       return record;
     }},
};

class Floods : public testing::TestWithParam<Flood> {};

TEST_P(Floods, EndAfter32RecordsWithoutData) {
  Talk talk{GetParam().version, false};
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 32; ++i) ASSERT_EQ(talk.hear(GetParam().record(talk.other)), Opened::some);
    talk.expect_alive();
  }
  talk.leg.unread.clear();
  for (int i = 0; i < 32; ++i) ASSERT_EQ(talk.hear(GetParam().record(talk.other)), Opened::some);
  talk.expect_failed(talk.hear(GetParam().record(talk.other)), Alert::unexpected_message);
}

INSTANTIATE_TEST_SUITE_P(Of, Floods, testing::ValuesIn(floods), [](const auto& each) { return each.param.name; });

TEST(Floods, AreCountedAcrossAHandover) {
  Modern talk;
  for (int i = 0; i < 32; ++i) {
    talk.hear(talk.other.data(""));
    talk.records = RecordLayer::make(talk.tls);
  }
  talk.expect_failed(talk.hear(talk.other.data("")), Alert::unexpected_message);
}

// ── Early records ─────────────────────────────────────────────────────────────────────────────────────────────────

struct Early final : EarlyRecords {
  std::vector<std::string> taken;
  int overs = 0;
  void take(std::string_view record) override { taken.emplace_back(record); }
  void over() override { ++overs; }
};

TEST(EarlyRecordsOfAClient, AreGivenAsTheyCameUntilTheFirstData) {
  Modern talk{true};
  Early early;
  talk.records->set_early_records(&early);
  const std::string first = talk.other.seal(probe::handshake, probe::ticket(30));
  const std::string second = talk.other.seal(probe::handshake, probe::ticket(9) + probe::ticket(7), 3);
  talk.hear(first + second.substr(0, 11));
  EXPECT_EQ(early.taken, std::vector{first});
  talk.hear(second.substr(11));
  EXPECT_EQ(early.taken, (std::vector{first, second}));
  EXPECT_EQ(early.overs, 0);
  talk.hear(probe::in_order(
      {talk.other.data("data"), talk.other.seal(probe::handshake, probe::ticket(30)), talk.other.data("more")}));
  EXPECT_EQ(early.taken.size(), 2U);
  EXPECT_EQ(early.overs, 1);
}

TEST(EarlyRecordsOfAClient, AreOverWithEmptyDataAndAreNeverForgeries) {
  Modern talk{true};
  Early early;
  talk.records->set_early_records(&early);
  talk.hear(talk.other.data(""));
  EXPECT_EQ(early.overs, 1);

  Modern forged{true};
  forged.records->set_early_records(&early);
  std::string record = forged.other.seal(probe::handshake, probe::ticket(30));
  record.back() = static_cast<char>(record.back() ^ 1);
  EXPECT_EQ(forged.hear(record), Opened::failed);
  EXPECT_TRUE(early.taken.empty());
  EXPECT_EQ(early.overs, 1);
}

}  // namespace
}  // namespace baton::tls
