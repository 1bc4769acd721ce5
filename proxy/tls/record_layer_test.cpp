#include "proxy/tls/record_layer.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "proxy/tls/alerts.hpp"
#include "proxy/tls/testing/record_probe.hpp"

namespace baton::tls {
namespace {

using probe::OtherSide;

constexpr std::size_t plenty = 1 << 20;

const Suite& modern() { return *find_suite(tls13, 0x1301); }
const Suite& classic() { return *find_suite(tls12, 0xC02F); }

std::uint8_t code(Alert alert) { return static_cast<std::uint8_t>(alert); }

std::string unhex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string{text.substr(i, 2)}, nullptr, 16));
  }
  return bytes;
}

std::string sample(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(i * 7 + i / 251);
  return text;
}

// Opens these bytes with a record layer of its own.
Opened open(state::Leg& leg, std::string_view received, std::size_t bytes = plenty) {
  leg.tls->received.append(received);
  return RecordLayer::make(*leg.tls)->open(leg, bytes);
}

// ── RFC 8448 §3 ───────────────────────────────────────────────────────────────────────────────────────────────────

// After its ticket, each side sends the bytes 0 to 49, then close_notify.
struct RecordedLeg {
  state::Leg leg;
  explicit RecordedLeg(bool is_client) {
    const std::string client = unhex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5");
    const std::string server = unhex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643");
    state::Tls& tls = leg.tls.emplace();
    tls.stage = state::TlsStage::records;
    tls.is_client = is_client;
    tls.version = tls13;
    tls.suite = 0x1301;
    std::ranges::copy(is_client ? server : client, tls.read.secrets.traffic.begin());
    std::ranges::copy(is_client ? client : server, tls.write.secrets.traffic.begin());
    derive_keys(modern(), tls.read.secrets);
    derive_keys(modern(), tls.write.secrets);
  }
};

const std::string recorded_ticket = unhex(
    "17030300de3a6b8f90414a97d6959c3487680de5134a2b240e6cffac116e95d41d6af8f6b580dcf3d11d63c758db289a015940252f55713e061d"
    "c13e078891a38efbcf5753ad8ef170ad3c7353d16d9da773b9ca7f2b9fa1b6c0d4a3d03f75e09c30ba1e62972ac46f75f7b981be63439b2999ce"
    "13064615139891d5e4c5b406f16e3fc181a77ca475840025db2f0a77f81b5ab05b94c01346755f69232c86519d86cbeeac87aac347d143f9605d"
    "64f650db4d023e70e952ca49fe5137121c74bc2697687e248746d6df353005f3bce18696129c8153556b3b6c6779b37bf15985684f");
const std::string recorded_client_data = unhex(
    "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a6292a29770"
    "14bd1e3deae63aeebb21694915e4");
const std::string recorded_server_data = unhex(
    "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59a8fcc49c4bf2e5f0a21c00"
    "47c2abf332540dd032e167c2955d");
const std::string recorded_client_close = unhex("1703030013c9872760655666b74d7ff1153efd6db6d0b0e3");
const std::string recorded_server_close = unhex("1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9");

std::string recorded_payload() {
  std::string text;
  for (char c = 0; c < 50; ++c) text += c;
  return text;
}

TEST(RecordedConnection, IsReadByAServer) {
  RecordedLeg recorded{false};
  EXPECT_EQ(open(recorded.leg, recorded_client_data + recorded_client_close), Opened::some);
  EXPECT_EQ(recorded.leg.unread.view(), recorded_payload());
  EXPECT_TRUE(recorded.leg.tls->close_received);
}

TEST(RecordedConnection, IsReadByAClientWithItsTicket) {
  RecordedLeg recorded{true};
  EXPECT_EQ(open(recorded.leg, recorded_ticket + recorded_server_data + recorded_server_close), Opened::some);
  EXPECT_EQ(recorded.leg.unread.view(), recorded_payload());
  EXPECT_TRUE(recorded.leg.tls->close_received);
}

TEST(RecordedConnection, IsWrittenByAClientByteForByte) {
  RecordedLeg recorded{true};
  recorded.leg.unsent.append(recorded_payload());
  recorded.leg.write_ended = true;
  EXPECT_TRUE(RecordLayer::make(*recorded.leg.tls)->seal(recorded.leg, 0));
  EXPECT_EQ(recorded.leg.tls->sealed.view(), recorded_client_data + recorded_client_close);
}

TEST(RecordedConnection, IsWrittenByAServerByteForByte) {
  RecordedLeg recorded{false};
  recorded.leg.tls->write.sequence = 1;                 // after the ticket
  recorded.leg.unsent.append(recorded_payload());
  recorded.leg.write_ended = true;
  EXPECT_TRUE(RecordLayer::make(*recorded.leg.tls)->seal(recorded.leg, 0));
  EXPECT_EQ(recorded.leg.tls->sealed.view(), recorded_server_data + recorded_server_close);
}

// ── Every suite ───────────────────────────────────────────────────────────────────────────────────────────────────

TEST(RecordLayer, IsMadeOfAnEstablishedStateOnly) {
  state::Leg leg = probe::established_leg(modern(), false);
  EXPECT_NE(RecordLayer::make(*leg.tls), nullptr);
  state::Tls other = *leg.tls;
  other.stage = state::TlsStage::handshake;
  EXPECT_EQ(RecordLayer::make(other), nullptr);
  other = *leg.tls;
  other.suite = 0xC013;
  EXPECT_EQ(RecordLayer::make(other), nullptr);
  other = *leg.tls;
  other.version = tls12;
  EXPECT_EQ(RecordLayer::make(other), nullptr);
}

TEST(RecordLayer, UnderstandsItselfInEverySuiteAndBothRoles) {
  for (const Suite& suite : suites()) {
    state::Leg server = probe::established_leg(suite, false);
    state::Leg client = probe::established_leg(suite, true);
    std::swap(client.tls->read, client.tls->write);
    const auto server_records = RecordLayer::make(*server.tls);
    const auto client_records = RecordLayer::make(*client.tls);
    const auto pass = [](state::Leg& from, RecordLayer& sealing, state::Leg& to, RecordLayer& opening) {
      const std::string text = sample(100'000);
      from.unsent.append(text);
      from.write_ended = true;
      for (int i = 0; i < 100 && sealing.seal(from, 0); ++i) {
        from.tls->sealed.move_to(to.tls->received, from.tls->sealed.size());
        EXPECT_EQ(opening.open(to, plenty), Opened::some);
      }
      EXPECT_EQ(to.unread.view(), text);
      EXPECT_TRUE(to.tls->close_received);
    };
    SCOPED_TRACE(suite.name);
    pass(server, *server_records, client, *client_records);
    pass(client, *client_records, server, *server_records);
  }
}

TEST(RecordLayer, UnderstandsAnotherImplementationInEverySuite) {
  for (const Suite& suite : suites()) {
    SCOPED_TRACE(suite.name);
    state::Leg leg = probe::established_leg(suite, true);
    OtherSide other{*leg.tls};
    std::string records;
    std::string expected;
    for (const std::size_t bytes : {1UZ, 15UZ, 16UZ, 17UZ, 5'000UZ, 16'384UZ}) {
      records += other.data(sample(bytes));
      expected += sample(bytes);
    }
    EXPECT_EQ(open(leg, records), Opened::some);
    EXPECT_EQ(leg.unread.view(), expected);
  }
}

// A handover at any byte: an incomplete record stays, and another record layer continues from the copied state.
TEST(RecordLayer, GoesOnFromACopyOfTheStateAfterAnyByte) {
  for (const Suite& suite : suites()) {
    SCOPED_TRACE(suite.name);
    state::Leg first = probe::established_leg(suite, true);
    OtherSide other{*first.tls};
    std::string records = probe::in_order({other.data("one"), other.data("")});
    if (suite.version == tls13) {
      const std::string early = probe::ticket(30) + probe::key_update(true);
      records += other.seal(probe::handshake, early.substr(0, 2));
      records += other.seal(probe::handshake, early.substr(2, 20), 7);
      records += other.seal(probe::handshake, early.substr(22, 16));
      records += other.seal(probe::handshake, early.substr(38));
      other.update_sending_keys();
    } else {
      records += other.seal(probe::handshake, probe::message(0, "").substr(0, 3));
      records += other.seal(probe::handshake, probe::message(0, "").substr(3));
    }
    records += probe::in_order({other.data("two"), other.seal(probe::alert, {"\1\0", 2}), "what follows close_notify"});

    state::Leg whole = first;
    open(whole, records);
    ASSERT_EQ(whole.unread.view(), "onetwo");
    ASSERT_TRUE(whole.tls->close_received);
    for (std::size_t cut = 0; cut <= records.size(); ++cut) {
      state::Leg before = first;
      open(before, records.substr(0, cut));
      state::Leg after = before;
      open(after, records.substr(cut));
      ASSERT_EQ(after, whole) << "cut at " << cut;
    }
  }
}

// ── What is wrong ─────────────────────────────────────────────────────────────────────────────────────────────────

TEST(RecordLayer, OpensNothingThatWasTamperedWith) {
  for (const Suite& suite : suites()) {
    const state::Leg first = probe::established_leg(suite, false);
    const std::string record = OtherSide{*first.tls}.data("a secret");
    for (std::size_t i = 0; i < record.size(); ++i) {
      SCOPED_TRACE(std::string{suite.name} + ", byte " + std::to_string(i));
      std::string tampered = record;
      tampered[i] = static_cast<char>(tampered[i] ^ 1);
      state::Leg leg = first;
      ERR_clear_error();
      const Opened opened = open(leg, tampered);
      EXPECT_TRUE(leg.unread.empty());
      if (i < 5) {                                      // the header may be wrong in itself, or wait for more bytes
        EXPECT_NE(opened, Opened::some);
      } else {
        EXPECT_EQ(opened, Opened::failed);
        EXPECT_EQ(leg.tls->alert, code(Alert::bad_record_mac));
      }
      EXPECT_EQ(ERR_peek_error(), 0U);                  // OpenSSL's next user would take a leftover for its own error
    }
  }
}

TEST(RecordLayer, OpensNoRecordTwiceOrOutOfOrder) {
  for (const Suite& suite : suites()) {
    SCOPED_TRACE(suite.name);
    const state::Leg first = probe::established_leg(suite, false);
    OtherSide other{*first.tls};
    const std::string one = other.data("one");
    const std::string two = other.data("two");
    state::Leg twice = first;
    EXPECT_EQ(open(twice, one + one), Opened::failed);
    EXPECT_EQ(twice.unread.view(), "one");
    EXPECT_EQ(twice.tls->alert, code(Alert::bad_record_mac));
    state::Leg swapped = first;
    EXPECT_EQ(open(swapped, two + one), Opened::failed);
    EXPECT_TRUE(swapped.unread.empty());
  }
}

struct WrongCase {
  std::string name;
  const Suite& suite;
  Alert alert;
  std::string (*records)(OtherSide&);
};

// Records without encryption, with only a header, or with too much in them.
const WrongCase wrong_cases[] = {
    {"PlainData", modern(), Alert::bad_record_mac,
     [](OtherSide&) { return std::string{"\x17\x03\x03\x00\x05hello", 10}; }},
    {"PlainAlert", modern(), Alert::unexpected_message,
     [](OtherSide&) { return std::string{"\x15\x03\x03\x00\x02\x02\x28", 7}; }},
    {"PlainHandshake", modern(), Alert::unexpected_message,
     [](OtherSide&) { return std::string{"\x16\x03\x03\x00\x01\x01", 6}; }},
    {"ChangeCipherSpec", modern(), Alert::unexpected_message,
     [](OtherSide&) { return std::string{"\x14\x03\x03\x00\x01\x01", 6}; }},
    {"ChangeCipherSpecTls12", classic(), Alert::unexpected_message,
     [](OtherSide&) { return std::string{"\x14\x03\x03\x00\x01\x01", 6}; }},
    {"EncryptedChangeCipherSpec", modern(), Alert::unexpected_message,
     [](OtherSide& other) { return other.seal(probe::change_cipher_spec, "\1"); }},
    {"EncryptedChangeCipherSpecTls12", classic(), Alert::unexpected_message,
     [](OtherSide& other) { return other.seal(probe::change_cipher_spec, "\1"); }},
    {"Heartbeat", classic(), Alert::unexpected_message, [](OtherSide& other) { return other.seal(24, "beat"); }},
    {"InnerHeartbeat", modern(), Alert::unexpected_message, [](OtherSide& other) { return other.seal(24, "beat"); }},
    {"NoRecordAtAll", modern(), Alert::unexpected_message, [](OtherSide&) { return std::string{"GET / HTTP/1.1\r\n"}; }},
    {"AnotherVersion", modern(), Alert::protocol_version,
     [](OtherSide&) { return std::string{"\x17\x03\x04\x00\x20", 5}; }},
    {"AnotherVersionTls12", classic(), Alert::protocol_version,
     [](OtherSide&) { return std::string{"\x17\x03\x01\x00\x20", 5}; }},
    {"LengthOverItsLimit", modern(), Alert::record_overflow,
     [](OtherSide&) { return std::string{"\x17\x03\x03\x41\x01", 5}; }},
    {"LengthOverItsLimitTls12", classic(), Alert::record_overflow,
     [](OtherSide&) { return std::string{"\x17\x03\x03\x48\x01", 5}; }},
    {"TooMuchData", modern(), Alert::record_overflow, [](OtherSide& other) { return other.data(sample(16'385)); }},
    {"TooMuchPadding", modern(), Alert::record_overflow,
     [](OtherSide& other) { return other.seal(probe::application_data, "x", 16'384); }},
    {"TooMuchDataTls12", classic(), Alert::record_overflow,
     [](OtherSide& other) { return other.data(sample(16'385)); }},
    {"NoRoomForATag", modern(), Alert::bad_record_mac,
     [](OtherSide&) { return std::string{"\x17\x03\x03\x00\x00", 5}; }},
    {"NoRoomForATagTls12", classic(), Alert::bad_record_mac,
     [](OtherSide&) { return std::string{"\x17\x03\x03\x00\x17", 5} + std::string(23, 'x'); }},
    {"NoInnerType", modern(), Alert::unexpected_message, [](OtherSide& other) { return other.seal_inner(""); }},
    {"PaddingOnly", modern(), Alert::unexpected_message,
     [](OtherSide& other) { return other.seal_inner(std::string(16'385, '\0')); }},
};

class WrongRecord : public testing::TestWithParam<WrongCase> {};

TEST_P(WrongRecord, EndsTheConnectionWithItsAlert) {
  state::Leg leg = probe::established_leg(GetParam().suite, false);
  OtherSide other{*leg.tls};
  const std::string good = other.data("good");
  const std::string wrong = GetParam().records(other);
  const auto records = RecordLayer::make(*leg.tls);
  leg.tls->received.append(good + wrong + "x");
  EXPECT_EQ(records->open(leg, plenty), Opened::failed);
  EXPECT_EQ(leg.unread.view(), "good");
  EXPECT_EQ(leg.tls->alert, code(GetParam().alert));
  EXPECT_NE(records->failure(), "");
  EXPECT_FALSE(leg.read_ended);
  EXPECT_TRUE(leg.tls->received.empty());
  EXPECT_EQ(records->open(leg, plenty), Opened::failed);
  EXPECT_EQ(open(leg, other.data("nor this")), Opened::failed);
  EXPECT_EQ(leg.unread.view(), "good");
}

INSTANTIATE_TEST_SUITE_P(Each, WrongRecord, testing::ValuesIn(wrong_cases),
                         [](const auto& each) { return each.param.name; });

// ── How much is opened ────────────────────────────────────────────────────────────────────────────────────────────

TEST(RecordLayer, OpensNoMoreRecordsThanItWasAskedFor) {
  state::Leg leg = probe::established_leg(modern(), false);
  OtherSide other{*leg.tls};
  const std::string records = probe::in_order({other.data("12345"), other.data("67890"), other.data("abcde")});
  EXPECT_EQ(open(leg, records, 6), Opened::some);
  EXPECT_EQ(leg.unread.view(), "1234567890");
  EXPECT_EQ(open(leg, "", 1), Opened::some);
  EXPECT_EQ(leg.unread.view(), "1234567890abcde");
  EXPECT_EQ(open(leg, "", 1), Opened::nothing);
  EXPECT_EQ(open(leg, other.data("x"), 0), Opened::nothing);
}

TEST(RecordLayer, OpensTheLargestRecordsThereMayBe) {
  for (const Suite& suite : {modern(), classic()}) {
    state::Leg leg = probe::established_leg(*find_suite(suite.version, suite.id), false);
    OtherSide other{*leg.tls};
    EXPECT_EQ(open(leg, other.data(sample(16'384))), Opened::some);
    EXPECT_EQ(leg.unread.view(), sample(16'384));
  }
  state::Leg leg = probe::established_leg(modern(), false);
  OtherSide other{*leg.tls};
  EXPECT_EQ(open(leg, other.seal(probe::application_data, "x", 16'383)), Opened::some);
  EXPECT_EQ(leg.unread.view(), "x");
}

TEST(RecordLayer, LetsDataEndInZeros) {
  state::Leg leg = probe::established_leg(modern(), false);
  OtherSide other{*leg.tls};
  const std::string zeros(10, '\0');
  EXPECT_EQ(open(leg, other.seal(probe::application_data, zeros, 5)), Opened::some);
  EXPECT_EQ(leg.unread.view(), zeros);
}

TEST(RecordLayer, HoldsNoMemoryForWhatWasNotData) {
  state::Leg leg = probe::established_leg(modern(), true);
  OtherSide other{*leg.tls};
  EXPECT_EQ(open(leg, other.seal(probe::handshake, probe::ticket(100))), Opened::some);
  EXPECT_EQ(leg.unread.room(), 0U);
  EXPECT_EQ(leg.tls->received.room(), 0U);
}

TEST(RecordLayer, UsesNoSequenceNumberTwice) {
  for (const Suite& suite : suites()) {
    SCOPED_TRACE(suite.name);
    state::Leg leg = probe::established_leg(suite, false);
    leg.tls->read.sequence = std::numeric_limits<std::uint64_t>::max() - 1;
    OtherSide other{*leg.tls};
    EXPECT_EQ(open(leg, other.data("the last")), Opened::some);
    EXPECT_EQ(leg.unread.view(), "the last");
    EXPECT_EQ(open(leg, other.data("one too many")), Opened::failed);
    EXPECT_EQ(leg.unread.view(), "the last");
    EXPECT_EQ(leg.tls->alert, code(Alert::internal_error));
  }
}

}  // namespace
}  // namespace baton::tls
