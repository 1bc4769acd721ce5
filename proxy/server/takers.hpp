// Processes that somebody else started and that come to the handoff socket to succeed us. Whoever has not said its Hello
// yet keeps nothing waiting: an upgrade begins with that. Everything here happens in the main thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <list>
#include <memory>

#include "handoff/channel.hpp"
#include "handoff/meeting_point.hpp"

namespace baton::proxy {

// A taker that has said Hello, which is the channel's next frame.
struct Taker {
  handoff::Channel channel;
  handoff::Peer who;
};

class Takers {
 public:
  // `begin` may refuse the taker. `context` outlives this.
  Takers(boost::asio::io_context& context, std::function<void(Taker)> begin);

  // Keeps the socket; nobody is let in before `resume`.
  void meet_at(handoff::MeetingPoint point);
  bool has_meeting_point() const { return point_.descriptor() >= 0; }
  int descriptor() const { return point_.descriptor(); }

  void resume();
  // Lets nobody in, and tells those who are in to try again. The socket stays open: a successor may have it.
  void pause();
  // The same, and the socket is a successor's.
  void close();
  // Removes the path; for the instance only.
  void withdraw() { point_.withdraw(); }

  // Tells why not, and hangs up.
  static void refuse(Taker taker, const std::string& why);

 private:
  struct Caller;

  void await_caller();
  void accept_caller();
  void accept_later();
  void let_in(handoff::UniqueFd socket);
  void listen_to(const std::shared_ptr<Caller>& caller);
  void hear(const std::shared_ptr<Caller>& caller);
  void end(const std::shared_ptr<Caller>& caller);

  boost::asio::io_context& context_;
  std::function<void(Taker)> begin_;
  handoff::MeetingPoint point_;
  // Its descriptor is point_'s: it is released, never closed.
  boost::asio::posix::stream_descriptor watched_;
  boost::asio::steady_timer retry_;
  std::list<std::shared_ptr<Caller>> callers_;   // the longest here first
  std::uint64_t turn_ = 0;   // one more at each pause: handlers of before do nothing
};

}  // namespace baton::proxy
