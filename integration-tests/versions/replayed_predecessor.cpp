#include "replayed_predecessor.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "harness/baton.hpp"
#include "http2_kind.hpp"
#include "proxy/state/codec.hpp"
#include "proxy/state/state.pb.h"

namespace baton::versions {

using namespace harness;
using handoff::Kind;

namespace {

handoff::Deadline soon() {
  return handoff::Clock::now() + wait_max;
}

void never_wait(int descriptor) {
  ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

}  // namespace

ReplayedPredecessor::ReplayedPredecessor(const std::string& version, const std::vector<RecordedFrame>& recording,
                                         Servers& servers)
    : version_(version),
      frames_(frames_of(recording, From::predecessor)),
      servers_(servers),
      web_listener_(listen_on(web_)),
      raw_listener_(listen_on(raw_)) {
  replace_file(directory_ / "baton.yaml", to_yaml(settings_for_every_kind(servers, web_, raw_), directory_));
  lock_ = std::move(*handoff::InstanceLock::on_file(directory_ / "handoff.sock.lock"));
  if (!lock_.try_take()) throw Failure("the lock is not free");
  open_clients();
  start_successor();
}

// ── Connections as they were when the recorded frames were written ────────────────────────────────────────────────

void ReplayedPredecessor::open_clients() {
  clients_ = std::make_unique<EveryKind>(version_, servers_.origin, web_, raw_,
                                         [this](const ConnectionKind& kind, Client&) { serve(kind); });
}

// Plays the proxy by hand: forwards everything unchanged, or what the kind says to a server each.
void ReplayedPredecessor::serve(const ConnectionKind& kind) {
  Stream client(
      Fd(::accept4(kind.is_raw() ? raw_listener_.get() : web_listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  const std::string said = client.read_exactly(kind.said.size());
  Legs& legs = legs_[kind.name()];
  const std::vector<Forwarded> forwarded = kind.forwarded.empty() ? std::vector{Forwarded{said}} : kind.forwarded;
  for (std::size_t i = 0; i < forwarded.size(); ++i) {
    Stream upstream(forwarded[i].to_http2 ? connect_to_http2() : connect_to_origin());
    upstream.send(forwarded[i].said);
    if (kind.half_closed) {
      client.read_to_fin();
      upstream.half_close();
    }
    if (i + 1 == forwarded.size() && !kind.heard_through.empty()) client.send(upstream.read_through(kind.heard_through));
    if (forwarded[i].to_http2) upstream.read_exactly(cut_frame_bytes);
    legs.upstreams.emplace_back(::fcntl(upstream.fd(), F_DUPFD_CLOEXEC, 3));
  }
  legs.client = Fd(::fcntl(client.fd(), F_DUPFD_CLOEXEC, 3));
}

Fd ReplayedPredecessor::connect_to_origin() {
  Fd upstream = connect_to(servers_.origin.address());
  ++connected_;
  harness::await([this] { return servers_.origin.accepted() == connected_; }, "the origin to accept");
  return upstream;
}

Fd ReplayedPredecessor::connect_to_http2() {
  Fd upstream = connect_to(servers_.http2.address());
  ++connected_to_http2_;
  harness::await([this] { return servers_.http2.accepted() == connected_to_http2_; }, "the server to accept");
  return upstream;
}

// It has had one stream.
Fd ReplayedPredecessor::pooled_carrier() {
  Stream upstream(connect_to_http2());
  upstream.send(pooled_request());
  upstream.read_through(end_of_pooled_answer());
  return Fd(::fcntl(upstream.fd(), F_DUPFD_CLOEXEC, 3));
}

void ReplayedPredecessor::start_successor() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw Failure("no channel");
  channel_ = std::make_unique<handoff::Channel>(handoff::UniqueFd(ends[0]));
  const Fd passed(::dup(ends[1]));  // the copy is not closed at exec
  ::close(ends[1]);
  successor_ = std::make_unique<Process>(Command{{baton_binary(), "run", "-c", directory_ / "baton.yaml"},
                                                 {"BATON_HANDOFF=" + std::to_string(passed.get())}});
}

// ── The conversation ──────────────────────────────────────────────────────────────────────────────────────────────

void ReplayedPredecessor::hand_over() {
  for (const RecordedFrame& frame : frames_) {
    switch (frame.kind) {
      case Kind::hello:
        send(frame);
        await(Kind::hello);
        break;
      case Kind::inherit:
        send_inherit(frame);
        break;
      case Kind::listen:
        await(Kind::ready);
        send(frame);
        await(Kind::listening);
        break;
      case Kind::offer:
        send_offer(frame);
        expect_all_taken(await(Kind::adopted));
        break;
      case Kind::done:
        lock_ = {};
        send(frame);
        await(Kind::bye);
        break;
      default:
        throw Failure(std::string("a predecessor does not send ") + handoff::kind_name(frame.kind));
    }
  }
  channel_.reset();
  legs_.clear();
  web_listener_.close();
  raw_listener_.close();
}

void ReplayedPredecessor::send(const RecordedFrame& frame) {
  (void)channel_->send(frame.kind, frame.record, {}, {}, soon());
}

void ReplayedPredecessor::send_inherit(const RecordedFrame& frame) {
  handoff::wire::Inherit inherit;
  if (!inherit.ParseFromString(frame.record)) throw Failure("the recorded Inherit cannot be read");
  std::vector<int> descriptors;
  std::vector<Fd> ours;
  for (auto& socket : *inherit.mutable_sockets()) {
    if (socket.name() == "web" || socket.name() == "raw") {
      const bool is_web = socket.name() == "web";
      socket.set_address((is_web ? web_ : raw_).text());
      never_wait(is_web ? web_listener_.get() : raw_listener_.get());
      descriptors.push_back(is_web ? web_listener_.get() : raw_listener_.get());
    } else if (socket.name() == "@admin" || socket.name() == "@handoff") {
      const bool is_admin = socket.name() == "@admin";
      Address address = unix_socket(directory_ / (is_admin ? "admin.sock" : "handoff.sock"));
      socket.set_address(is_admin ? address.text() : directory_ / "handoff.sock");
      ours.push_back(listen_on(address));
      descriptors.push_back(ours.back().get());
    } else {
      throw Failure("a recorded socket of an unknown name: " + socket.name());
    }
  }
  state::wire::Instance instance;
  if (!instance.ParseFromString(inherit.application())) throw Failure("the recorded instance cannot be read");
  struct stat lock {};
  if (::stat((directory_ / "handoff.sock.lock").c_str(), &lock) != 0) throw Failure("there is no lock");
  if (instance.lock_inode() != 0) instance.set_lock_device(lock.st_dev);
  if (instance.lock_inode() != 0) instance.set_lock_inode(lock.st_ino);
  instance.set_handoff_socket(directory_ / "handoff.sock");
  instance.set_pid_file(directory_ / "baton.pid");
  instance.set_admin("unix:" + directory_ / "admin.sock");
  inherit.set_application(instance.SerializeAsString());
  if (inherit.executable()) {
    ours.emplace_back(::open(baton_binary().c_str(), O_RDONLY | O_CLOEXEC));
    descriptors.push_back(ours.back().get());
  }
  if (descriptors.size() != frame.descriptors)
    throw Failure("Inherit was recorded with other descriptors than it names");
  (void)handoff::send_record(*channel_, Kind::inherit, inherit, soon(), descriptors);
}

void ReplayedPredecessor::send_offer(const RecordedFrame& frame) {
  handoff::wire::Offer offer;
  if (!offer.ParseFromString(frame.record)) throw Failure("the recorded Offer cannot be read");
  for (auto& parcel : *offer.mutable_parcels()) {
    const std::size_t before = in_flight_.size();
    take_off(parcel);
    if (in_flight_.size() - before != parcel.descriptors())
      throw Failure("a parcel was recorded with other descriptors");
  }
  offered_ = static_cast<std::size_t>(offer.parcels_size());
  std::vector<int> descriptors;
  for (const Fd& descriptor : in_flight_) descriptors.push_back(descriptor.get());
  for (const int descriptor : descriptors) never_wait(descriptor);
  (void)handoff::send_record(*channel_, Kind::offer, offer, soon(), descriptors);
}

void ReplayedPredecessor::take_off(handoff::wire::Offer::Parcel& parcel) {
  const auto moved = state::decode(parcel.payload(), {}, 0);
  if (!moved) throw Failure("a recorded payload cannot be decoded");
  if (const auto* connection = std::get_if<state::ConnectionState>(&*moved)) {
    Legs& legs = legs_.at(name_of(*connection));
    in_flight_.push_back(std::move(legs.client));
    if (connection->upstream() == nullptr && connection->http2() == nullptr) return;
    for (Fd& upstream : legs.upstreams) in_flight_.push_back(std::move(upstream));
    return;
  }
  state::wire::Moved payload;
  payload.ParseFromString(parcel.payload());
  const bool is_carrier = static_cast<bool>(std::get<state::IdleUpstream>(*moved).frames);
  payload.mutable_idle_upstream()->mutable_server()->set_port(
      (is_carrier ? servers_.http2.address() : servers_.origin.address()).port);
  parcel.set_payload(payload.SerializeAsString());
  in_flight_.push_back(is_carrier ? pooled_carrier() : connect_to_origin());
}

handoff::Frame ReplayedPredecessor::await(Kind kind) {
  auto frame = handoff::receive_kind(*channel_, kind, soon());
  if (!frame) throw Failure(frame.error().text + "\n" + successor_->err());
  return std::move(*frame);
}

void ReplayedPredecessor::expect_all_taken(const handoff::Frame& frame) {
  const auto adopted = handoff::parse<handoff::wire::Adopted>(frame);
  if (!adopted) throw Failure(adopted.error().text);
  for (const auto& refusal : adopted->refused()) throw Failure("the successor refused a parcel: " + refusal.reason());
  if (static_cast<std::size_t>(adopted->taken_size()) != offered_)
    throw Failure("the successor did not answer for all");
  in_flight_.clear();
}

}  // namespace baton::versions
