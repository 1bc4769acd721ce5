// An Asio echo server that is upgraded while clients are connected: bytes that have not been echoed yet move with their
// connection. SIGUSR2 replaces the program, and no client notices.
//
//   echo_asio PORT [FILE_FOR_THE_PID]
//
// The one rule for Asio: never have a pending operation that carries bytes. async_read_some may have taken bytes from
// the socket before its handler runs, and freezing the connection at that moment would lose them. So these coroutines
// wait with async_wait, which carries nothing, and then read and write without blocking. Bytes in between are in
// `unsent_`.
//
// Code that live upgrades need is marked with (handover).
#include <unistd.h>

#include <boost/asio.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "handoff/upgradable.hpp"

namespace asio = boost::asio;
namespace handoff = baton::handoff;
using asio::ip::tcp;

#ifndef VERSION
#define VERSION "1.0"                                  // another build, to upgrade to: -DVERSION='"1.1"'
#endif

constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);

class Session final : public handoff::Movable, public std::enable_shared_from_this<Session> {
 public:
  Session(asio::io_context& context, handoff::Fleet& fleet, handoff::UniqueFd socket, std::string unsent)
      : socket_(context), fleet_(fleet), frozen_(std::move(socket)), unsent_(std::move(unsent)) {}

  // (handover) A connection starts here, whether it was accepted, adopted or taken back.
  void resume() override {
    socket_.assign(tcp::v4(), frozen_.release());
    socket_.non_blocking(true);
    asio::co_spawn(socket_.get_executor(), echo(shared_from_this()), asio::detached);
  }

  // (handover) `release` removes the socket from Asio's poller and cancels the wait. When its coroutine resumes, it
  // sees that it is obsolete and touches nothing.
  std::optional<handoff::Parcel> freeze() override {
    ++run_;
    frozen_.reset(socket_.release());
    return handoff::Parcel{.label = "client", .descriptors = {frozen_.get()}, .payload = unsent_};
  }

 private:
  // `self` keeps us alive while the coroutine waits.
  asio::awaitable<void> echo([[maybe_unused]] std::shared_ptr<Session> self) {
    const auto run = ++run_;
    for (bool open = true; open;) {
      const bool sending = !unsent_.empty();
      co_await socket_.async_wait(sending ? tcp::socket::wait_write : tcp::socket::wait_read, as_tuple);
      if (run != run_) co_return;    // frozen by now, and perhaps resumed with a new coroutine
      open = sending ? send() : receive();
    }
    // (handover) shutdown, not only close: the client sees the end even if another process still holds a copy.
    boost::system::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    fleet_.remove(*this);
  }

  bool receive() {
    char piece[16 * 1024];
    boost::system::error_code error;
    const std::size_t count = socket_.read_some(asio::buffer(piece), error);
    unsent_.append(piece, count);
    return !error || error == asio::error::would_block;
  }

  bool send() {
    boost::system::error_code error;
    unsent_.erase(0, socket_.write_some(asio::buffer(unsent_), error));
    return !error || error == asio::error::would_block;
  }

  tcp::socket socket_;               // while running
  handoff::Fleet& fleet_;            // outlives every session
  handoff::UniqueFd frozen_;         // the same socket while frozen
  std::string unsent_;
  unsigned run_ = 0;                 // which coroutine may touch all of this
};

class EchoServer final : public handoff::Service {
 public:
  EchoServer(asio::io_context& context, handoff::Fleet& fleet, int listener)
      : context_(context), fleet_(fleet), listener_(listener), acceptor_(context) {}
  ~EchoServer() override { stop_accepting(); }

  void accept() override {
    acceptor_.assign(tcp::v4(), listener_);
    acceptor_.non_blocking(true);
    asio::co_spawn(context_, accept_loop(), asio::detached);
  }

  // (handover) `release` and not `close`: Upgradable owns the descriptor, and its queue is still needed.
  void stop_accepting() override {
    ++run_;
    if (acceptor_.is_open()) acceptor_.release();
  }

  // (handover) The payload is the bytes not echoed to the client yet.
  handoff::Result<std::shared_ptr<handoff::Movable>> adopt(handoff::ReceivedParcel parcel) override {
    if (parcel.descriptors.size() != 1) return handoff::fail(handoff::Fault::malformed, "no connection of ours");
    return std::make_shared<Session>(context_, fleet_, std::move(parcel.descriptors[0]), std::move(parcel.payload));
  }

 private:
  asio::awaitable<void> accept_loop() {
    const auto run = ++run_;
    for (;;) {
      co_await acceptor_.async_wait(tcp::acceptor::wait_read, as_tuple);
      if (run != run_) co_return;
      boost::system::error_code error;
      tcp::socket socket = acceptor_.accept(error);
      if (error) continue;
      auto session = std::make_shared<Session>(context_, fleet_, handoff::UniqueFd(socket.release()), "");
      fleet_.add(session);           // (handover) the fleet will ask it to freeze
      session->resume();
    }
  }

  asio::io_context& context_;
  handoff::Fleet& fleet_;            // outlives us
  int listener_;                     // the process owns it
  tcp::acceptor acceptor_;           // around the listener, while we accept
  unsigned run_ = 0;
};

// (handover) All events of the upgrade are handled here, between two handlers.
static asio::awaitable<void> attend(handoff::Upgradable& process, asio::io_context& context) {
  asio::posix::stream_descriptor descriptor(context, ::dup(process.descriptor()));
  while (!process.has_ended()) {
    co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read, as_tuple);
    process.attend();
  }
  context.stop();
}

int main(int argc, char** argv) try {
  if (argc < 2) throw std::runtime_error("usage: echo_asio PORT [FILE_FOR_THE_PID]");
  asio::io_context context(1);       // outlives the sockets of the fleet
  // (handover) Before anything else: from here on SIGUSR2 does not kill us, and a successor has its inheritance.
  handoff::Upgradable process({.arguments = {argv, argv + argc},
                               .version = VERSION,
                               .pid_file = argc > 2 ? argv[2] : ""});
  const int listener = process.listener("echo", [&] {
    tcp::acceptor acceptor(context, {tcp::v4(), static_cast<asio::ip::port_type>(std::stoi(argv[1]))});
    return handoff::UniqueFd(acceptor.release());
  });
  EchoServer server(context, process.fleet(), listener);
  process.serve(server);
  asio::co_spawn(context, attend(process, context), asio::detached);
  context.run();
  return process.exit_code();
} catch (const std::exception& error) {
  std::fprintf(stderr, "echo_asio: %s\n", error.what());
  return 1;
}
