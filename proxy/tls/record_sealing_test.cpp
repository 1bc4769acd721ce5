#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "proxy/tls/alerts.hpp"
#include "proxy/tls/record_layer.hpp"
#include "proxy/tls/testing/record_probe.hpp"

namespace baton::tls {
namespace {

using probe::OtherSide;
using probe::Record;

constexpr std::uint64_t sequence_end = std::numeric_limits<std::uint64_t>::max();

std::string content(std::initializer_list<int> bytes) {
  return {bytes.begin(), bytes.end()};
}
const std::string close_notify = content({1, 0});

// A leg that seals, and the other side, which opens.
struct Sealing {
  state::Leg leg;
  state::Tls& tls;
  OtherSide other;

  explicit Sealing(std::uint16_t version, std::uint16_t suite = 0)
      : leg(probe::established_leg(*find_suite(version, suite != 0 ? suite : version == tls13 ? 0x1301 : 0xC02F), false)),
        tls(*leg.tls),
        other(tls) {}

  bool seal(std::int64_t since_ms = 0) { return RecordLayer::make(tls)->seal(leg, since_ms); }

  // Opens everything in `sealed`, which counts as sent.
  std::vector<Record> sent() {
    std::vector<Record> records;
    std::string_view stream = tls.sealed.view();
    while (auto record = other.open(stream)) {
      records.push_back(*record);
      if (tls.version == tls13 && record->type == probe::handshake) other.update_receiving_keys();
    }
    EXPECT_EQ(stream, "");
    tls.sealed.clear();
    return records;
  }
  // Seals and sends until nothing is left.
  std::vector<Record> all() {
    std::vector<Record> records;
    for (int i = 0; seal(); ++i) {
      EXPECT_LE(tls.sealed.size(), state::Buffer::block_bytes);
      if (i == 1000) throw std::logic_error{"it does not end"};
      std::ranges::move(sent(), std::back_inserter(records));
    }
    EXPECT_TRUE(leg.unsent.empty());
    return records;
  }
  void fill() {
    tls.burst_bytes = 1 << 20;
    leg.unsent.append(std::string(100'000, 'd'));
    EXPECT_TRUE(seal());
    leg.unsent.clear();
  }
};

Record only(const std::vector<Record>& records) {
  EXPECT_EQ(records.size(), 1U);
  return records.empty() ? Record{} : records.front();
}

std::vector<std::size_t> sizes(const std::vector<Record>& records) {
  std::vector<std::size_t> all;
  for (const Record& record : records) all.push_back(record.content.size());
  return all;
}

std::string text_of(const std::vector<Record>& records) {
  std::string text;
  for (const Record& record : records) text += record.content;
  return text;
}

// ── Data ──────────────────────────────────────────────────────────────────────────────────────────────────────────

TEST(Seal, IsUnderstoodByAnotherImplementationInEverySuite) {
  for (const Suite& suite : suites()) {
    SCOPED_TRACE(suite.name);
    Sealing sealing{suite.version, suite.id};
    std::string text(70'000, '\0');
    std::iota(text.begin(), text.end(), '\0');
    sealing.leg.unsent.append(text);
    sealing.leg.write_ended = true;
    const std::vector<Record> records = sealing.all();
    EXPECT_EQ(text_of(records), text + close_notify);
    EXPECT_EQ(records.back().type, probe::alert);
    EXPECT_EQ(records.back().content, close_notify);
  }
}

TEST(Seal, HasNothingToDoWhereNothingWaits) {
  Sealing sealing{tls13};
  EXPECT_FALSE(sealing.seal());
  EXPECT_FALSE(sealing.seal(1'000'000));
  EXPECT_TRUE(sealing.tls.sealed.empty());
  EXPECT_EQ(sealing.tls.write.sequence, 0U);
}

TEST(Seal, SendsSmallRecordsFirstAndThenFullOnes) {
  for (const std::uint16_t version : {tls12, tls13}) {
    Sealing sealing{version};
    sealing.leg.unsent.append(std::string(14 * 1024 + 3 * 16'384, 'x'));
    std::vector<Record> records = sealing.all();
    std::size_t small_bytes = 0;
    std::size_t small = 0;
    while (small < records.size() && small_bytes < 14 * 1024) {
      EXPECT_EQ(records[small].bytes, 1400U);
      small_bytes += records[small++].content.size();
    }
    ASSERT_GT(records.size(), small + 2);
    EXPECT_EQ(records[small].content.size(), 16'384U);
    EXPECT_EQ(records[small + 1].content.size(), 16'384U);
  }
}

TEST(Seal, BeginsWithSmallRecordsAgainAfterASilence) {
  Sealing sealing{tls13};
  sealing.tls.burst_bytes = 14 * 1024;
  sealing.leg.unsent.append(std::string(5000, 'x'));
  EXPECT_TRUE(sealing.seal(999));
  EXPECT_EQ(sizes(sealing.sent()), std::vector<std::size_t>{5000});
  EXPECT_FALSE(sealing.seal(1000));                     // nothing is sent, so the silence continues
  EXPECT_EQ(sealing.tls.burst_bytes, 14U * 1024);
  sealing.leg.unsent.append(std::string(5000, 'x'));
  EXPECT_TRUE(sealing.seal(1000));
  EXPECT_EQ(sizes(sealing.sent()), (std::vector<std::size_t>{1378, 1378, 1378, 866}));
  EXPECT_EQ(sealing.tls.burst_bytes, 5000U);
}

TEST(Seal, FillsABlockWithTwoFullRecords) {
  for (const Suite& suite : suites()) {
    Sealing sealing{suite.version, suite.id};
    sealing.tls.burst_bytes = 1 << 20;
    sealing.leg.unsent.append(std::string(100'000, 'x'));
    EXPECT_TRUE(sealing.seal());
    EXPECT_EQ(sealing.leg.unsent.size(), 100'000U - 2 * 16'384);
    EXPECT_FALSE(sealing.seal());
    EXPECT_EQ(sizes(sealing.sent()), (std::vector<std::size_t>{16'384, 16'384}));
  }
}

TEST(Seal, KeepsToTheFragmentLengthThatWasAgreed) {
  for (const std::uint16_t bytes : {512, 1024, 4096}) {
    Sealing sealing{tls12};
    sealing.tls.burst_bytes = 1 << 20;
    sealing.tls.fragment_bytes = bytes;
    sealing.leg.unsent.append(std::string(100'000, 'x'));
    const std::vector<Record> records = sealing.all();
    EXPECT_EQ(std::ranges::max(sizes(records)), bytes);
    EXPECT_EQ(text_of(records), std::string(100'000, 'x'));
  }
}

// No nonce is repeated on the wire, even when the explicit part passes its largest value.
TEST(Seal, CountsTheExplicitNonceOn) {
  Sealing sealing{tls12};
  sealing.tls.explicit_nonce = sequence_end;
  sealing.tls.burst_bytes = 1 << 20;
  sealing.leg.unsent.append(std::string(2 * 16'384, 'x'));
  EXPECT_TRUE(sealing.seal());
  EXPECT_EQ(sealing.tls.sealed.view().substr(5, 8), std::string(8, '\xff'));
  EXPECT_EQ(sealing.tls.sealed.view().substr(5 + 8 + 16'384 + 16 + 5, 8), std::string(8, '\0'));
  EXPECT_EQ(sealing.tls.explicit_nonce, 1U);
  EXPECT_EQ(sealing.sent().size(), 2U);
}

// A handover between any two records.
TEST(Seal, GoesOnFromACopyOfTheState) {
  for (const Suite& suite : suites()) {
    SCOPED_TRACE(suite.name);
    Sealing sealing{suite.version, suite.id};
    state::Leg moving = sealing.leg;
    std::string text;
    const auto stays = RecordLayer::make(sealing.tls);
    for (int i = 0; i < 50; ++i) {
      text += std::to_string(i);
      sealing.leg.unsent.append(std::to_string(i));
      EXPECT_TRUE(stays->seal(sealing.leg, 0));
      moving.unsent.append(std::to_string(i));
      state::Leg moved = moving;
      EXPECT_TRUE(RecordLayer::make(*moved.tls)->seal(moved, 0));
      EXPECT_EQ(moved, sealing.leg);
      moving = moved;
    }
    EXPECT_EQ(text_of(sealing.sent()), text);
  }
}

// ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

TEST(Seal, SaysCloseNotifyOnceAndAfterAllData) {
  for (const std::uint16_t version : {tls12, tls13}) {
    Sealing sealing{version};
    sealing.leg.unsent.append("the end");
    EXPECT_TRUE(sealing.seal());
    EXPECT_EQ(sealing.tls.end, state::TlsEnd::open);
    sealing.leg.write_ended = true;
    EXPECT_TRUE(sealing.seal());
    EXPECT_EQ(sealing.tls.end, state::TlsEnd::notified);
    const std::vector<Record> records = sealing.sent();
    ASSERT_EQ(records.size(), 2U);
    EXPECT_EQ(records[1].type, probe::alert);
    EXPECT_EQ(records[1].content, close_notify);
    sealing.leg.unsent.append("too late");
    sealing.tls.key_update_owed = version == tls13;
    EXPECT_FALSE(sealing.seal());
    EXPECT_TRUE(sealing.tls.sealed.empty());
  }
}

TEST(Seal, SaysNoCloseNotifyWhileDataWaits) {
  Sealing sealing{tls13};
  sealing.tls.burst_bytes = 1 << 20;
  sealing.leg.unsent.append(std::string(3 * 16'384, 'x'));
  sealing.leg.write_ended = true;
  EXPECT_TRUE(sealing.seal());
  EXPECT_EQ(sealing.tls.end, state::TlsEnd::open);
  EXPECT_EQ(sizes(sealing.sent()), (std::vector<std::size_t>{16'384, 16'384}));
  EXPECT_TRUE(sealing.seal());
  EXPECT_EQ(sealing.tls.end, state::TlsEnd::notified);
  EXPECT_EQ(sizes(sealing.sent()), (std::vector<std::size_t>{16'384, 2}));
}

TEST(Seal, SaysNothingButTheAlertThatIsOwed) {
  for (const std::uint16_t version : {tls12, tls13}) {
    Sealing sealing{version};
    sealing.leg.unsent.append("never sent");
    sealing.leg.write_ended = true;
    sealing.tls.key_update_owed = version == tls13;
    sealing.tls.no_renegotiation_owed = version == tls12;
    sealing.tls.alert = static_cast<std::uint8_t>(Alert::bad_record_mac);
    EXPECT_TRUE(sealing.seal());
    EXPECT_EQ(sealing.tls.end, state::TlsEnd::notified);
    EXPECT_EQ(sealing.tls.alert, 20);
    EXPECT_FALSE(sealing.seal());
    const Record record = only(sealing.sent());
    EXPECT_EQ(record.type, probe::alert);
    EXPECT_EQ(record.content, content({2, 20}));
  }
}

TEST(Seal, OwesAnAlertEvenToOneWhoDoesNotRead) {
  Sealing sealing{tls13};
  sealing.fill();
  sealing.tls.alert = 10;
  EXPECT_TRUE(sealing.seal());
  EXPECT_EQ(sealing.sent().back().content, content({2, 10}));
}

// ── What is owed ──────────────────────────────────────────────────────────────────────────────────────────────────

TEST(KeyUpdateReply, ComesBeforeDataAndAsksForNone) {
  Sealing sealing{tls13};
  sealing.tls.key_update_owed = true;
  sealing.leg.unsent.append("data");
  EXPECT_TRUE(sealing.seal());
  EXPECT_FALSE(sealing.tls.key_update_owed);
  EXPECT_EQ(sealing.tls.write.sequence, 1U);
  const std::vector<Record> records = sealing.sent();
  EXPECT_EQ(sealing.tls.write.secrets, sealing.other.receiving().secrets);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].type, probe::handshake);
  EXPECT_EQ(records[0].content, probe::key_update(false));
  EXPECT_EQ(records[1].content, "data");
}

TEST(KeyUpdateReply, WaitsForRoomAndGrowsNothing) {
  Sealing sealing{tls13};
  const auto records = RecordLayer::make(sealing.tls);
  for (int i = 0; i < 10'000; ++i) {                    // a flood from a peer that sends data and does not read
    sealing.tls.received.append(sealing.other.seal(probe::handshake, probe::key_update(true)));
    sealing.other.update_sending_keys();
    sealing.tls.received.append(sealing.other.data("x"));
    ASSERT_EQ(records->open(sealing.leg, 1 << 20), Opened::some);
    records->seal(sealing.leg, 0);
    ASSERT_LE(sealing.tls.sealed.size(), state::Buffer::block_bytes);
  }
  EXPECT_TRUE(sealing.tls.key_update_owed);
  EXPECT_GT(sealing.sent().size(), 1000U);
  EXPECT_TRUE(records->seal(sealing.leg, 0));
  EXPECT_EQ(only(sealing.sent()).content, probe::key_update(false));
}

TEST(KeyUpdateReply, ComesBeforeCloseNotify) {
  Sealing sealing{tls13};
  sealing.tls.key_update_owed = true;
  sealing.leg.write_ended = true;
  sealing.tls.sealed.append(std::string(state::Buffer::block_bytes - 26, 'x'));     // there is room for close_notify
  const state::Tls before = sealing.tls;
  EXPECT_FALSE(sealing.seal());
  EXPECT_EQ(sealing.tls, before);
  sealing.tls.sealed.clear();
  EXPECT_TRUE(sealing.seal());
  EXPECT_EQ(sizes(sealing.sent()), (std::vector<std::size_t>{5, 2}));
}

TEST(OwnKeyUpdate, IsTheLastOfSixteenMillionRecords) {
  for (const Suite& suite : suites()) {
    if (suite.version != tls13) continue;
    Sealing sealing{tls13, suite.id};
    sealing.tls.write.sequence = (1 << 24) - 2;
    sealing.other.receiving().sequence = (1 << 24) - 2;
    sealing.tls.burst_bytes = 1 << 20;
    sealing.leg.unsent.append(std::string(3 * 16'384, 'x'));
    const std::vector<Record> records = sealing.all();
    ASSERT_EQ(sizes(records), (std::vector<std::size_t>{16'384, 5, 16'384, 16'384}));
    EXPECT_EQ(records[1].type, probe::handshake);
    EXPECT_EQ(records[1].content, probe::key_update(false));
    EXPECT_EQ(sealing.tls.write.sequence, 2U);
  }
}

TEST(OwnKeyUpdate, WaitsForRoomAndLetsNoRecordPass) {
  Sealing sealing{tls13};
  sealing.fill();
  sealing.tls.sealed.append(std::string(state::Buffer::block_bytes - sealing.tls.sealed.size() - 24, 'x'));
  sealing.tls.write.sequence = (1 << 24) - 1;
  sealing.leg.unsent.append("x");                       // there would be room for one byte
  EXPECT_FALSE(sealing.seal());
  EXPECT_EQ(sealing.tls.write.sequence, (1U << 24) - 1);
}

TEST(NoRenegotiation, IsAWarningBeforeData) {
  Sealing sealing{tls12};
  sealing.tls.no_renegotiation_owed = true;
  sealing.leg.unsent.append("data");
  EXPECT_TRUE(sealing.seal());
  EXPECT_FALSE(sealing.tls.no_renegotiation_owed);
  const std::vector<Record> records = sealing.sent();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].content, content({1, 100}));
  EXPECT_EQ(records[1].content, "data");
}

TEST(NoRenegotiation, WaitsForRoom) {
  Sealing sealing{tls12};
  sealing.tls.sealed.append(std::string(state::Buffer::block_bytes - 30, 'x'));
  sealing.tls.no_renegotiation_owed = true;
  sealing.leg.write_ended = true;
  EXPECT_FALSE(sealing.seal());
  EXPECT_TRUE(sealing.tls.no_renegotiation_owed);
  EXPECT_EQ(sealing.tls.end, state::TlsEnd::open);
}

TEST(CloseNotify, WaitsForRoom) {
  Sealing sealing{tls13};
  sealing.tls.sealed.append(std::string(state::Buffer::block_bytes - 23, 'x'));
  sealing.leg.write_ended = true;
  EXPECT_FALSE(sealing.seal());
  EXPECT_EQ(sealing.tls.end, state::TlsEnd::open);
}

// ── Sequence numbers ──────────────────────────────────────────────────────────────────────────────────────────────

TEST(SequenceNumbers, EndWithAnAlert) {
  for (const Suite& suite : suites()) {
    if (suite.version != tls12) continue;
    SCOPED_TRACE(suite.name);
    Sealing sealing{tls12, suite.id};
    sealing.tls.write.sequence = sequence_end - 2;
    sealing.other.receiving().sequence = sequence_end - 2;
    sealing.tls.burst_bytes = 1 << 20;
    sealing.leg.unsent.append(std::string(2 * 16'384, 'x'));
    EXPECT_TRUE(sealing.seal());
    EXPECT_EQ(sizes(sealing.sent()), std::vector<std::size_t>{16'384});
    EXPECT_TRUE(sealing.seal());
    EXPECT_EQ(only(sealing.sent()).content, content({2, 80}));
    EXPECT_EQ(sealing.tls.write.sequence, sequence_end);
    EXPECT_EQ(sealing.tls.end, state::TlsEnd::notified);
    EXPECT_FALSE(sealing.seal());
  }
}

TEST(SequenceNumbers, ThatAreUsedUpCarryNothing) {
  for (const std::uint16_t version : {tls12, tls13}) {
    Sealing sealing{version};
    sealing.tls.write.sequence = sequence_end;
    sealing.leg.unsent.append("x");
    EXPECT_FALSE(sealing.seal());
    EXPECT_EQ(sealing.tls.write.sequence, sequence_end);
    EXPECT_EQ(sealing.tls.end, state::TlsEnd::notified);
  }
}

}  // namespace
}  // namespace baton::tls
