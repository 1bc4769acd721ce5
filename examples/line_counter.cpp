// A plain epoll server that is upgraded while clients are connected.
//
// It returns each line a client sends with its number: "7 hello". The number is the connection's state, so a client
// would notice at once if a server had lost it. SIGUSR2 replaces the program, and no client notices. Nor does any
// notice a crash, except for the client that was being served at that moment: its connection is reset.
//
//   line_counter PORT [FILE_FOR_THE_PID]
//
// Code that live upgrades need is marked with (handover), and what a crash needs besides with (crash). The rest is an
// ordinary server.
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "handoff/upgradable.hpp"

namespace handoff = baton::handoff;

#ifndef VERSION
#define VERSION "1.0"                                  // another build, to upgrade to: -DVERSION='"1.1"'
#endif

constexpr std::size_t unsent_bytes_max = 64 * 1024;    // above this, we stop reading from a client that does not read
constexpr std::size_t line_bytes_max = 16 * 1024;

// Adds, changes or removes (with no events) what epoll watches.
class Poller {
 public:
  Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  void watch(int socket, std::uint32_t events, void* who) const {
    epoll_event event{};
    event.events = events;
    event.data.ptr = who;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &event) != 0 && errno == EEXIST) {
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket, &event);
    }
  }
  void forget(int socket) const { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket, nullptr); }

  int wait(epoll_event* events, int events_max) const { return ::epoll_wait(epoll_.get(), events, events_max, -1); }

 private:
  handoff::UniqueFd epoll_;
};

class Connection final : public handoff::Movable {
 public:
  struct State {
    std::uint64_t lines = 0;
    std::string unread;              // the beginning of a line
    std::string unsent;
  };

  Connection(handoff::UniqueFd socket, State state, const Poller& poller, handoff::Fleet& fleet)
      : socket_(std::move(socket)), state_(std::move(state)), poller_(poller), fleet_(fleet) {}

  // Before this returns, everything received has been answered and everything that can be sent has been. So between two
  // events the socket and the State are the whole connection, and it can be frozen at any time.
  void on_events() {
    const handoff::Step step(fleet_, *this);  // (crash) until this ends, the State is not what the client has
    if (!read() || !write()) return end();
    watch();
  }

  // (handover) Leave the poller *before* the socket goes to another process: epoll watches the open socket, not our
  // descriptor, and would keep reporting events after we close ours.
  std::optional<handoff::Parcel> freeze() override {
    poller_.forget(socket_.get());
    return parcel();
  }

  // (handover) All that a successor needs. (crash) The fleet keeps it after each Step.
  std::optional<handoff::Parcel> parcel() const override {
    return handoff::Parcel{.label = "client",
                           .descriptors = {socket_.get()},
                           .payload = std::to_string(state_.lines) + ' ' + std::to_string(state_.unread.size()) + ' ' +
                                      state_.unread + state_.unsent};
  }

  // (handover) A connection starts here, whether it was accepted, adopted or taken back: epoll reports at once what has
  // arrived in the meantime.
  void resume() override { watch(); }

  // (handover) The inverse of parcel. Nothing: this is not our payload.
  static std::optional<State> decode(const std::string& payload) {
    unsigned long long lines = 0;
    std::size_t unread = 0;
    int head = 0;
    if (std::sscanf(payload.c_str(), "%llu %zu%n", &lines, &unread, &head) != 2) return std::nullopt;
    const auto begin = static_cast<std::size_t>(head) + 1;
    if (begin > payload.size() || unread > payload.size() - begin) return std::nullopt;
    return State{lines, payload.substr(begin, unread), payload.substr(begin + unread)};
  }

 private:
  void watch() {
    const std::uint32_t in = state_.unsent.size() < unsent_bytes_max ? EPOLLIN : 0u;
    const std::uint32_t out = state_.unsent.empty() ? 0u : EPOLLOUT;
    poller_.watch(socket_.get(), in | out, this);
  }

  // False: the client has closed or half-closed; it does not get what it has not read by then.
  bool read() {
    if (state_.unsent.size() >= unsent_bytes_max) return true;
    char piece[4096];
    const ssize_t count = ::recv(socket_.get(), piece, sizeof piece, MSG_DONTWAIT);
    if (count <= 0) return count < 0 && errno == EAGAIN;
    state_.unread.append(piece, static_cast<std::size_t>(count));
    std::size_t begin = 0;
    for (std::size_t end; (end = state_.unread.find('\n', begin)) != std::string::npos; begin = end + 1) {
      state_.unsent += std::to_string(++state_.lines) + ' ';
      state_.unsent.append(state_.unread, begin, end + 1 - begin);
    }
    state_.unread.erase(0, begin);
    return state_.unread.size() <= line_bytes_max;
  }

  bool write() {
    if (state_.unsent.empty()) return true;
    const ssize_t count = ::send(socket_.get(), state_.unsent.data(), state_.unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0) return errno == EAGAIN;
    state_.unsent.erase(0, static_cast<std::size_t>(count));
    return true;
  }

  // (handover) shutdown, not only close: the client sees the end even if another process still holds a copy.
  void end() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    poller_.forget(socket_.get());
    fleet_.remove(*this);            // destroys us
  }

  handoff::UniqueFd socket_;
  State state_;
  const Poller& poller_;             // these two outlive every connection
  handoff::Fleet& fleet_;
};

// The server: accepts connections and (handover) stops accepting and adopts.
class LineCounter final : public handoff::Service {
 public:
  LineCounter(int listener, const Poller& poller, handoff::Fleet& fleet)
      : listener_(listener), poller_(poller), fleet_(fleet) {}

  void accept() override { poller_.watch(listener_, EPOLLIN, this); }
  void stop_accepting() override { poller_.forget(listener_); }

  void on_events() {
    handoff::UniqueFd socket(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket) return;
    auto connection = std::make_shared<Connection>(std::move(socket), Connection::State{}, poller_, fleet_);
    fleet_.add(connection);          // (handover) the fleet owns it and will ask it to freeze
    connection->resume();
  }

  handoff::Result<std::shared_ptr<handoff::Movable>> adopt(handoff::ReceivedParcel parcel) override {
    auto state = Connection::decode(parcel.payload);
    if (!state || parcel.descriptors.size() != 1) return handoff::fail(handoff::Fault::malformed, "no connection of ours");
    return std::make_shared<Connection>(std::move(parcel.descriptors[0]), std::move(*state), poller_, fleet_);
  }

 private:
  int listener_;                     // the process owns it
  const Poller& poller_;             // these two outlive us
  handoff::Fleet& fleet_;
};

static handoff::UniqueFd listen_on(std::uint16_t port) {
  handoff::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0) {
    throw std::runtime_error("cannot listen on port " + std::to_string(port));
  }
  return socket;
}

int main(int argc, char** argv) try {
  if (argc < 2) throw std::runtime_error("usage: line_counter PORT [FILE_FOR_THE_PID]");
  // (handover) First of all: from here on SIGUSR2 does not kill us, and a successor has its inheritance.
  handoff::Upgradable process({.arguments = {argv, argv + argc},
                               .version = VERSION,
                               .pid_file = argc > 2 ? argv[2] : "",
                               .survive_crashes = true});  // (crash)
  const auto port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  const Poller poller;
  LineCounter service(process.listener("lines", [port] { return listen_on(port); }), poller, process.fleet());
  poller.watch(process.descriptor(), EPOLLIN, &process);
  process.serve(service);

  while (!process.has_ended()) {
    epoll_event events[64];
    const int count = poller.wait(events, 64);
    bool attend = false;
    for (int i = 0; i < count; ++i) {
      void* who = events[i].data.ptr;
      if (who == &process) {
        attend = true;
      } else if (who == &service) {
        service.on_events();
      } else {
        static_cast<Connection*>(who)->on_events();
      }
    }
    // (handover) Last in each round: it may destroy connections that other events of this round point to.
    if (attend) process.attend();
  }
  return process.exit_code();
} catch (const std::exception& error) {
  std::fprintf(stderr, "line_counter: %s\n", error.what());
  return 1;
}
