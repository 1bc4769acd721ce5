#include "proxy/loopback.hpp"

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
  auto moved = state::decode(parcel.payload, 0);
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

// Of a listening socket, and so of those that it accepts, or of one before it is connected. Segments are small, so
// that small windows move on at once.
void make_room_scarce(int socket) {
  const int room = 8 * 1024;
  const int segment = 1024;
  ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  ::setsockopt(socket, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
}

}  // namespace

TestListener::TestListener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  make_room_scarce(socket_.get());
  require(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0, "bind");
  require(::listen(socket_.get(), 64) == 0, "listen");
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  require(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&bound), &length) == 0, "getsockname");
  address_ = state::SocketAddress::from_sockaddr(bound, length);
}

handoff::UniqueFd TestListener::connect() const {
  handoff::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  make_room_scarce(socket.get());
  sockaddr_storage storage;
  const socklen_t length = address_.to_sockaddr(storage);
  require(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0, "connect");
  ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  return socket;
}

handoff::UniqueFd TestListener::accept() const {
  return handoff::UniqueFd(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

std::shared_ptr<const Settings> loopback_settings(const state::SocketAddress& server) {
  auto settings = std::make_shared<Settings>();
  settings->config.listeners.push_back({.name = "web"});
  settings->config.default_upstream = "app";
  settings->upstreams.push_back({.name = "app", .servers = {{.address = server}}});
  return settings;
}

void move_all(Worker& from, Worker& to, Outcome outcome) { move_all(from, to, outcome, here); }

void move_between_threads(Worker& from, Worker& to, Outcome outcome) { move_all(from, to, outcome, in_its_thread); }

void make_waiting(int descriptor) { ::fcntl(descriptor, F_SETFL, 0); }

bool wait_readable(int descriptor, int timeout_ms) {
  pollfd one{.fd = descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, timeout_ms) > 0;
}

Stage::Stage(const Play& play, const TestListener& front, const TestListener& origin)
    : play_(play),
      origin_(origin),
      first_(loopback_settings(origin.address()), 1),
      second_(loopback_settings(origin.address()), 2) {
  client_.socket = front.connect();
  first_.worker.take(front.accept(), {.listener = "web", .tunnel_to = play.raw ? "app" : ""}, {});
}

Witnessed Stage::run(const std::function<void(std::size_t, Stage&)>& after_event) {
  constexpr int idle_turns_max = 2000;     // each a millisecond
  constexpr std::size_t events_max = 20'000;
  std::size_t events = 0;
  for (int idle_turns = 0; idle_turns < idle_turns_max && events < events_max && !witnessed_.finished;) {
    turn_client();
    turn_origin();
    other_->loop().run_one(0);
    if (serving_->loop().run_one(idle_turns == 0 ? 0 : 1)) {
      idle_turns = 0;
      after_event(++events, *this);
    } else {
      ++idle_turns;
    }
    witnessed_.finished = finished();
  }
  return witnessed_;
}

void Stage::move(Outcome outcome) {
  move_all(*serving_, *other_, outcome);
  if (is_adopted(outcome)) std::swap(serving_, other_);
}

bool Stage::finished() const {
  const bool client_is_done = client_.line == play_.client.size() && client_.sending.empty();
  return client_is_done && origin_peer_.line == play_.origin.size() && origin_peer_.sending.empty() &&
         (witnessed_.client_saw_end || !(play_.closes || client_.ends));
}

void Stage::turn_client() {
  turn(client_, play_.client, witnessed_.client, play_.client_reads, witnessed_.client_saw_end);
}

void Stage::turn_origin() {
  if (auto socket = origin_.accept()) {
    if (play_.raw) {
      // An attempt to connect that was given up may have been accepted, and spoken to; it is another connection's turn.
      origin_peer_ = {.socket = std::move(socket)};
    } else {
      origin_connections_.push_back(std::move(socket));
    }
  }
  // Whichever connection has something to say is the one that the script goes on with.
  for (auto& connection : origin_connections_) {
    char byte;
    if (!connection || ::recv(connection.get(), &byte, 1, MSG_PEEK) <= 0) continue;
    std::swap(connection, origin_peer_.socket);
    break;
  }
  bool saw_end = false;
  if (origin_peer_.socket) turn(origin_peer_, play_.origin, witnessed_.origin, play_.origin_reads, saw_end);
}

void Stage::turn(Peer& peer, const Lines& lines, std::string& received, std::size_t bytes_max, bool& saw_end) {
  next_line(peer, lines, received);
  if (!peer.sending.empty()) {
    const ssize_t put = ::send(peer.socket.get(), peer.sending.data(), peer.sending.size(), MSG_NOSIGNAL);
    if (put > 0) peer.sending.erase(0, static_cast<std::size_t>(put));
  }
  if (peer.sending.empty() && peer.ends && !peer.ended) {
    ::shutdown(peer.socket.get(), SHUT_WR);
    peer.ended = true;
  }
  const std::size_t before = received.size();
  received.resize(before + std::min(bytes_max, std::size_t{1} << 16));
  const ssize_t got = ::recv(peer.socket.get(), received.data() + before, received.size() - before, 0);
  received.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got == 0) saw_end = true;
  EXPECT_TRUE(got >= 0 || errno == EAGAIN || (play_.raw && &peer == &origin_peer_)) << "a connection broke";
  next_line(peer, lines, received);
}

void Stage::next_line(Peer& peer, const Lines& lines, const std::string& received) {
  if (peer.line == lines.size() || !peer.sending.empty()) return;
  const Line& line = lines[peer.line];
  const std::size_t found = received.find(line.until, peer.searched);
  if (found == std::string::npos) return;
  peer.searched = found + line.until.size();
  peer.sending = line.send;
  peer.ends = peer.ends || line.then_end;
  ++peer.line;
}

}  // namespace baton::proxy
