#include "proxy/worker/testing/loopback.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "proxy/state/codec.hpp"

namespace baton::proxy {

namespace {

void require(bool holds, const char* what) {
  if (!holds) throw std::system_error(errno, std::generic_category(), what);
}

std::vector<handoff::UniqueFd> copies_of(const std::vector<int>& descriptors) {
  std::vector<handoff::UniqueFd> copies;
  for (const int descriptor : descriptors) copies.emplace_back(::fcntl(descriptor, F_DUPFD_CLOEXEC, 3));
  return copies;
}

using Task = std::function<void()>;
using InWorker = std::function<void(Worker&, const Task&)>;

void here(Worker&, const Task& task) { task(); }
void in_its_thread(Worker& worker, const Task& task) { worker.loop().call(task); }

// Freezes everything and calls `each` with what was frozen.
void freeze_all(Worker& worker, const InWorker& in, const std::function<void(const handoff::Parcel&)>& each) {
  in(worker, [&] { worker.begin_handover(0, [] {}); });
  for (bool more = true; more;) {
    handoff::Room room{.connections = 4, .descriptors = 8, .bytes = 64 * 1024};
    handoff::Batch batch;
    in(worker, [&] { more = worker.freeze_next(room, batch); });
    for (const handoff::Parcel& parcel : batch.parcels) each(parcel);
    if (batch.parcels.empty()) break;
  }
}

bool prepare_copy(Worker& worker, const InWorker& in, const handoff::Parcel& parcel) {
  auto moved = state::decode(parcel.payload, parcel.secrets.view(), 0);
  EXPECT_TRUE(moved) << "a state cannot be read by a successor";
  bool prepared = false;
  if (moved) {
    in(worker, [&] { prepared = worker.prepare(parcel.id, std::move(*moved), copies_of(parcel.descriptors)); });
  }
  return prepared;
}

bool is_adopted(Outcome outcome) { return outcome <= Outcome::adopted_and_copies_kept; }

void move_all(Worker& from, Worker& to, Outcome outcome, const InWorker& in) {
  std::vector<handoff::ParcelId> not_adopted;
  freeze_all(from, in, [&](const handoff::Parcel& parcel) {
    const bool prepared = prepare_copy(to, in, parcel);
    if (!prepared || !is_adopted(outcome)) return not_adopted.push_back(parcel.id);
    in(to, [&] { to.start(parcel.id); });
    if (outcome == Outcome::adopted) in(from, [&] { from.adopted(parcel.id); });
  });
  for (const handoff::ParcelId id : not_adopted) {
    if (outcome != Outcome::taken_back_and_copies_kept) in(to, [&] { to.drop(id); });
    in(from, [&] { from.take_back(id); });
  }
  in(from, [&] { from.end_handover(); });
}

// For a listening socket, and so for those that it accepts, or for a socket before it is connected. Where room is
// scarce, segments are small, so that small windows advance at once.
void set_room(int socket, KernelRoom room) {
  const int bytes = room == KernelRoom::scarce ? 8 * 1024 : 128 * 1024;
  ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  if (room == KernelRoom::ample) return;
  const int segment = 1024;
  ::setsockopt(socket, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
}

}  // namespace

TestListener::TestListener(KernelRoom room)
    : room_(room), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  set_room(socket_.get(), room_);
  require(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0, "bind");
  require(::listen(socket_.get(), 64) == 0, "listen");
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  require(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&bound), &length) == 0, "getsockname");
  address_ = state::SocketAddress::from_sockaddr(bound, length);
}

handoff::UniqueFd TestListener::connect() const {
  handoff::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  set_room(socket.get(), room_);
  sockaddr_storage storage;
  const socklen_t length = address_.to_sockaddr(storage);
  require(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0, "connect");
  ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  return socket;
}

handoff::UniqueFd TestListener::accept() const {
  return handoff::UniqueFd(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

void move_all(Worker& from, Worker& to, Outcome outcome) { move_all(from, to, outcome, here); }

bool adopt_copy(Worker& worker, const handoff::Parcel& parcel) {
  if (!prepare_copy(worker, here, parcel)) return false;
  worker.start(parcel.id);
  return true;
}

bool move_one(Worker& from, Worker& to, const handoff::Parcel& parcel) {
  if (!adopt_copy(to, parcel)) return false;
  from.adopted(parcel.id);
  return true;
}

void move_between_threads(Worker& from, Worker& to, Outcome outcome) { move_all(from, to, outcome, in_its_thread); }

void make_waiting(int descriptor) { ::fcntl(descriptor, F_SETFL, 0); }

bool wait_readable(int descriptor, int timeout_ms) {
  pollfd one{.fd = descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, timeout_ms) > 0;
}

Stage::Stage(const Play& play, const Scene& scene)
    : play_(play), scene_(scene), first_(scene.settings, 1, scene.roster), second_(scene.settings, 2) {
  client_.wire = Wire(scene.front.connect(), peer_context(scene.legs, true));
  const ListeningSocket from{.listener = "web", .tunnel_to = play.raw ? "app" : "", .tls = scene.legs.client != 0};
  first_.worker.take(scene.front.accept(), from, {});
}

Witnessed Stage::run(const std::function<void(std::size_t, Stage&)>& after_event) {
  constexpr int idle_turns_max = 2000;     // each a millisecond
  constexpr std::size_t events_max = 20'000;
  std::size_t events = 0;
  for (int idle_turns = 0; idle_turns < idle_turns_max && events < events_max && !witnessed_.finished;) {
    const bool client_moved = turn_client();
    const bool origin_moved = turn_origin();
    if (other_ != nullptr) other_->loop().run_one(0);
    const bool is_idle = idle_turns != 0 && !client_moved && !origin_moved;
    if (run_one(serving_->loop(), is_idle ? 1 : 0)) {
      idle_turns = 0;
      after_event(++events, *this);
    } else {
      ++idle_turns;
    }
    witnessed_.finished = finished();
  }
  return witnessed_;
}

bool Stage::move(Outcome outcome) {
  const bool is_there = serving_->connections() != 0;
  move_all(*serving_, *other_, outcome);
  if (!is_adopted(outcome)) return true;
  if (is_there && other_->connections() == 0) return false;      // it does not move during its handshake
  std::swap(serving_, other_);
  return true;
}

Worker& Stage::lose_serving() {
  serving_ = std::exchange(other_, nullptr);
  return *serving_;
}

std::size_t Stage::idle_upstreams() const { return serving_->pool().idle(); }

bool Stage::finished() const {
  const bool all_played = client_.line == play_.client.size() && origin_.line == play_.origin.size();
  const bool all_said = client_.wire.all_said() && origin_.wire.all_said();
  if (play_.breaks_origin) return witnessed_.origin_was_reset || witnessed_.origin_saw_end;
  if (play_.breaks) return witnessed_.client_was_reset || witnessed_.client_saw_end;
  const bool ends = play_.closes || (!play_.client.empty() && play_.client.back().then_end);
  return all_played && all_said && (witnessed_.client_saw_end || !ends);
}

bool Stage::turn_client() {
  if (!client_.wire.is_open()) return false;
  const bool moved = turn(client_, play_.client, witnessed_.client, play_.client_reads, play_.client_writes);
  witnessed_.client_saw_end = client_.wire.saw_end();
  witnessed_.client_saw_good_end = client_.wire.saw_good_end();
  witnessed_.client_was_reset = client_.wire.broke();
  EXPECT_TRUE(play_.breaks || !client_.wire.broke()) << "the client's connection broke";
  return moved;
}

bool Stage::turn_origin() {
  bool moved = false;
  if (auto socket = scene_.origin.accept()) {
    Wire wire(std::move(socket), peer_context(scene_.legs, false));
    if (play_.raw) {
      // An abandoned attempt to connect may have been accepted, and data sent on it; now use the new connection.
      origin_ = Peer{.wire = std::move(wire)};
    } else {
      origin_wires_.push_back(std::move(wire));
    }
  }
  // The script continues on whichever connection has received something.
  for (Wire& wire : origin_wires_) {
    if (wire.is_open()) moved |= wire.turn(play_.origin_reads, 1 << 20);
    if (wire.has_heard()) std::swap(wire, origin_.wire);
  }
  if (origin_.wire.is_open()) moved |= turn(origin_, play_.origin, witnessed_.origin, play_.origin_reads, 1 << 20);
  if (play_.breaks_origin && !witnessed_.origin.empty()) {       // not an abandoned attempt
    witnessed_.origin_saw_end = origin_.wire.saw_end();
    witnessed_.origin_was_reset = origin_.wire.broke();
  }
  EXPECT_TRUE(play_.raw || play_.breaks || play_.breaks_origin || !origin_.wire.broke())
      << "the origin's connection broke";
  return moved;
}

bool Stage::turn(Peer& peer, const Lines& lines, std::string& received, std::size_t reads_max, std::size_t writes_max) {
  next_line(peer, lines, received);
  const bool moved = peer.wire.turn(reads_max, writes_max);
  received += peer.wire.take_heard();
  next_line(peer, lines, received);
  return moved;
}

void Stage::next_line(Peer& peer, const Lines& lines, const std::string& received) {
  if (peer.line == lines.size() || !peer.wire.all_said()) return;
  const Line& line = lines[peer.line];
  const std::size_t found = received.find(line.until, peer.searched);
  if (found == std::string::npos) return;
  peer.searched = found + line.until.size();
  peer.wire.say(line.send, line.keys);
  if (line.then_end) peer.wire.end(line.bluntly);
  if (line.then_reset) peer.wire.reset();
  ++peer.line;
}

}  // namespace baton::proxy
