// Handovers between real processes are recorded, and recordings of released versions are replayed to this one: a
// recorded predecessor to the real successor, and a recorded successor to the real predecessor.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "handoff/records.hpp"
#include "harness/log_lines.hpp"
#include "proxy/state/codec.hpp"
#include "proxy/state/instance_record.hpp"
#include "proxy/state/state.pb.h"
#include "recording.hpp"
#include "replayed_predecessor.hpp"
#include "serving_every_kind.hpp"

namespace baton::versions {
namespace {

using namespace harness;

std::vector<std::string> payloads_of(const std::vector<RecordedFrame>& recording) {
  std::vector<std::string> payloads;
  for (const RecordedFrame& frame : recording) {
    if (frame.kind != handoff::Kind::offer) continue;
    handoff::wire::Offer offer;
    EXPECT_TRUE(offer.ParseFromString(frame.record));
    for (const auto& parcel : offer.parcels()) payloads.push_back(parcel.payload());
  }
  return payloads;
}

std::string idle_name_of(const state::IdleUpstream& idle) {
  return idle.frames ? "idle upstream of HTTP/2" : "idle upstream";
}

std::multiset<std::string> kinds_in(const std::vector<RecordedFrame>& recording) {
  std::multiset<std::string> names;
  for (const std::string& payload : payloads_of(recording)) {
    const auto moved = state::decode(payload, {}, 0);
    if (!moved) {
      ADD_FAILURE() << "a payload that cannot be decoded";
      continue;
    }
    const auto* connection = std::get_if<state::ConnectionState>(&*moved);
    if (connection != nullptr && connection->carriers) {
      for (const auto& carrier : *connection->carriers) EXPECT_EQ(carrier->unread.size(), cut_frame_bytes);
    }
    names.insert(connection == nullptr ? idle_name_of(std::get<state::IdleUpstream>(*moved)) : name_of(*connection));
  }
  return names;
}

bool knows_http2_servers(const std::string& version) {
  return std::ranges::any_of(kinds_of(version), &ConnectionKind::to_http2);
}

std::multiset<std::string> every_kind_of(const std::string& version) {
  std::multiset<std::string> names{"idle upstream"};
  for (const ConnectionKind& kind : kinds_of(version)) names.insert(kind.name());
  if (knows_http2_servers(version)) names.insert("idle upstream of HTTP/2");
  return names;
}

// The order of the conversation, with any number of batches.
std::string order_of(const std::vector<RecordedFrame>& recording) {
  std::string order;
  for (const RecordedFrame& frame : recording) {
    if (frame.kind == handoff::Kind::offer || frame.kind == handoff::Kind::adopted) continue;
    order += (frame.from == From::predecessor ? " P:" : " S:") + std::string(handoff::kind_name(frame.kind));
  }
  return order;
}

void expect_whole_conversation(const std::string& version, const std::vector<RecordedFrame>& recording) {
  EXPECT_EQ(order_of(recording), " P:Hello S:Hello P:Inherit S:Ready P:Listen S:Listening P:Done S:Bye");
  EXPECT_EQ(kinds_in(recording), every_kind_of(version));
}

// ── Recording ─────────────────────────────────────────────────────────────────────────────────────────────────────

TEST(Recording, IsMadeBetweenTwoProcessesThatNoticeNothing) {
  ServingEveryKind serving;
  serving.put_in_place(RELAY, "relay", "record");
  const std::string report = serving.baton.upgrade();
  EXPECT_NE(report.find(serving.all_moved()), std::string::npos) << report;
  serving.clients.go_on();
  const std::string made = serving.baton.directory() / "recording";
  expect_whole_conversation(unreleased, read_recording(made));
  if (const char* folder = std::getenv("BATON_RECORD_INTO")) {
    std::filesystem::create_directories(folder);
    std::filesystem::copy_file(made, std::string(folder) + "/conversation.txt");
  }
}

// ── Replaying ─────────────────────────────────────────────────────────────────────────────────────────────────────

class Recorded : public testing::TestWithParam<std::string> {
 protected:
  std::string path = std::string(RECORDINGS) + "/" + GetParam() + "/conversation.txt";
  std::vector<RecordedFrame> recording = read_recording(path);
};

TEST_P(Recorded, ConversationIsWhole) {
  expect_whole_conversation(GetParam(), recording);
}

// The first record of that kind from that side.
template <class Record>
Record record_of(const std::vector<RecordedFrame>& recording, From from, handoff::Kind kind) {
  Record record;
  const auto found =
      std::ranges::find_if(recording, [&](const auto& frame) { return frame.from == from && frame.kind == kind; });
  EXPECT_TRUE(found != recording.end() && record.ParseFromString(found->record)) << handoff::kind_name(kind);
  return record;
}

TEST_P(Recorded, RecordsMeanToUsWhatTheyMeantThen) {
  namespace wire = handoff::wire;
  using handoff::Kind;
  for (const From from : {From::predecessor, From::successor}) {
    const auto hello = record_of<wire::Hello>(recording, from, Kind::hello);
    EXPECT_TRUE(handoff::check_hello(hello));
    if (GetParam() != unreleased) {
      EXPECT_EQ(hello.version(), GetParam());
    }
    EXPECT_EQ(hello.generation(), from == From::predecessor ? 1u : 2u);
    EXPECT_GT(hello.pid(), 0);
    EXPECT_GT(hello.monotonic_us(), 0);
  }
  const auto inherit = record_of<wire::Inherit>(recording, From::predecessor, Kind::inherit);
  std::multiset<std::string> names, addresses;
  for (const auto& socket : inherit.sockets()) {
    if (socket.name().starts_with('@')) continue;  // the instance's own
    names.insert(socket.name());
    addresses.insert(socket.address());
  }
  EXPECT_EQ(names, (std::multiset<std::string>{"raw", "web"}));
  const auto ready = record_of<wire::Ready>(recording, From::successor, Kind::ready);
  EXPECT_EQ(addresses, (std::multiset<std::string>{ready.addresses().begin(), ready.addresses().end()}));

  std::multiset<std::uint64_t> offered, taken;
  for (const RecordedFrame& frame : recording) {
    wire::Offer offer;
    wire::Adopted adopted;
    EXPECT_TRUE(frame.kind != Kind::offer || offer.ParseFromString(frame.record));
    EXPECT_TRUE(frame.kind != Kind::adopted || adopted.ParseFromString(frame.record));
    for (const auto& parcel : offer.parcels()) offered.insert(parcel.id());
    taken.insert(adopted.taken().begin(), adopted.taken().end());
  }
  EXPECT_EQ(offered.size(), every_kind_of(GetParam()).size());
  EXPECT_EQ(taken, offered);

  const auto done = record_of<wire::Done>(recording, From::predecessor, Kind::done);
  const handoff::Report report = handoff::from_wire(done.report());
  EXPECT_EQ(report.moved_total(), offered.size());
  if (GetParam() != unreleased) {
    EXPECT_EQ(report.to.version, GetParam());
  }
  const auto instance = state::decode_instance_record(done.application());
  ASSERT_TRUE(instance);
  EXPECT_EQ(instance->accepted_total, kinds_of(GetParam()).size());
}

state::wire::Moved read_by_protobuf(const std::string& payload) {
  state::wire::Moved moved;
  if (!moved.ParseFromString(payload)) throw Failure("a payload that protobuf cannot read");
  return moved;
}

// Version 0.1.0 left the last exchange's record in a connection without an exchange; it is never read.
std::string without_ended_exchange(const std::string& payload) {
  state::wire::Moved moved = read_by_protobuf(payload);
  const bool is_awaiting = moved.has_connection() && moved.connection().http1().has_awaiting();
  if (is_awaiting) moved.mutable_connection()->mutable_http1()->clear_access();
  return moved.SerializeAsString();
}

// Proto3 does not write a field that has its default value, so fields that this version has added do not show.
TEST_P(Recorded, PayloadsLoseNothingByBeingDecodedAndEncodedAgain) {
  for (const std::string& payload : payloads_of(recording)) {
    const auto moved = state::decode(payload, {}, 0);
    ASSERT_TRUE(moved);
    const std::string again = std::visit([](const auto& one) { return state::encode(one); }, *moved);
    EXPECT_EQ(state::decode(again, {}, 0), moved);
    EXPECT_EQ(read_by_protobuf(again).SerializeAsString(), without_ended_exchange(payload));
  }
}

TEST_P(Recorded, PredecessorIsSucceededAndEveryConnectionGoesOn) {
  Servers servers;
  ReplayedPredecessor predecessor(GetParam(), recording, servers);
  predecessor.hand_over();
  const std::string named = std::to_string(predecessor.successor().pid()) + "\n";
  EXPECT_EQ(read_file(predecessor.pid_file()), named) << predecessor.successor().err();
  const std::size_t accepted = servers.origin.accepted();
  Client& idle = predecessor.clients().client(clients::Kind::idle);
  EXPECT_EQ(idle.get("/bytes/8").body, pattern(8));
  EXPECT_EQ(servers.origin.accepted(), accepted) << "the idle upstream connection is used";
  if (knows_http2_servers(GetParam())) {
    const std::size_t carriers = servers.http2.accepted();
    EXPECT_EQ(idle.get("/pooled/bytes/8").body, pattern(8));
    EXPECT_EQ(servers.http2.accepted(), carriers) << "so is that of HTTP/2";
  }
  predecessor.clients().go_on();
  EXPECT_EQ(Client(predecessor.web()).get("/bytes/9").body, pattern(9)) << "it accepts on what it inherited";
}

TEST_P(Recorded, SuccessorIsHandedEverythingOver) {
  ServingEveryKind serving(GetParam());
  serving.put_in_place(REPLAYING_SUCCESSOR, "recording", read_file(path));
  serving.baton.begin_upgrade();
  const std::string report = serving.baton.await_log(log_lines::upgrade_report);
  EXPECT_NE(report.find(serving.all_moved(GetParam())), std::string::npos) << report;
  EXPECT_EQ(serving.baton.await_exit(), (Ended{0, 0}));
  EXPECT_FALSE(serving.baton.lock_is_held()) << "the recorded one takes no lock, and the real one has let go of it";
}

std::vector<std::string> recorded_versions() {
  std::vector<std::string> versions;
  for (const auto& entry : std::filesystem::directory_iterator(RECORDINGS)) {
    if (entry.is_directory()) versions.push_back(entry.path().filename());
  }
  std::sort(versions.begin(), versions.end());
  return versions;
}

INSTANTIATE_TEST_SUITE_P(Of, Recorded, testing::ValuesIn(recorded_versions()), [](const auto& row) {
  std::string name = "Version_" + row.param;
  std::replace_if(name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name;
});

}  // namespace
}  // namespace baton::versions
