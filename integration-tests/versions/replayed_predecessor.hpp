// A recorded predecessor facing a real successor: its frames as recorded, except for what depends on the place and
// time. Descriptors are fresh ones; listening addresses and the instance's paths are ours; the server of an idle
// upstream connection is ours. Clocks need no change: the recorded Hello gives its own time.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "handoff/instance.hpp"
#include "handoff/records.hpp"
#include "harness/process.hpp"
#include "harness/temp_dir.hpp"
#include "kinds.hpp"
#include "recording.hpp"

namespace baton::versions {

class ReplayedPredecessor {
 public:
  // Connects a client of every kind to its own listening sockets and brings each to the point of its recorded state.
  ReplayedPredecessor(const std::string& version, const std::vector<RecordedFrame>& recording, Servers& servers);

  // From Hello to Bye; then nothing of the predecessor is left. Throws Failure if the successor departs from the
  // protocol.
  void hand_over();

  harness::Process& successor() { return *successor_; }
  EveryKind& clients() { return *clients_; }
  harness::Address web() const { return web_; }
  std::string pid_file() const { return directory_ / "baton.pid"; }

 private:
  // Our sockets of one connection.
  struct Legs {
    harness::Fd client;
    std::vector<harness::Fd> upstreams;
  };

  void open_clients();
  void serve(const ConnectionKind& kind);
  harness::Fd connect_to_origin();
  harness::Fd connect_to_http2();
  harness::Fd pooled_carrier();
  void start_successor();
  void send(const RecordedFrame& frame);
  void send_inherit(const RecordedFrame& frame);
  void send_offer(const RecordedFrame& frame);
  // Puts the sockets of a recorded parcel in flight.
  void take_off(handoff::wire::Offer::Parcel& parcel);
  // Receives the successor's next frame, which must be of that kind.
  handoff::Frame await(handoff::Kind kind);
  void expect_all_taken(const handoff::Frame& frame);

  const std::string version_;
  std::vector<RecordedFrame> frames_;
  Servers& servers_;  // outlive this
  harness::TempDir directory_;
  harness::Address web_ = harness::loopback(0);
  harness::Address raw_ = harness::loopback(0);
  harness::Fd web_listener_;
  harness::Fd raw_listener_;
  handoff::InstanceLock lock_;
  std::map<std::string, Legs> legs_;  // by the kind's name, until they are offered
  std::unique_ptr<EveryKind> clients_;
  std::size_t connected_ = 0;           // to the origin
  std::size_t connected_to_http2_ = 0;
  std::size_t offered_ = 0;             // parcels in flight
  std::vector<harness::Fd> in_flight_;  // with their descriptors
  std::unique_ptr<handoff::Channel> channel_;
  std::unique_ptr<harness::Process> successor_;
};

}  // namespace baton::versions
