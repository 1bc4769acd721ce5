// External successors: processes that another party has started and that connect to the handoff socket. A peer that has
// not sent its Hello blocks nothing: an upgrade begins with the Hello. Everything here runs in the main thread.
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

// One whose Hello has arrived and is the channel's next frame.
struct ExternalSuccessor {
  handoff::Channel channel;
  handoff::Peer who;
};

class ExternalSuccessors {
 public:
  // `begin` may refuse the successor. `context` outlives this.
  ExternalSuccessors(boost::asio::io_context& context, std::function<void(ExternalSuccessor)> begin);

  // Keeps the socket; admits no peer before `resume`.
  void meet_at(handoff::MeetingPoint point);
  bool has_meeting_point() const { return point_.descriptor() >= 0; }
  int descriptor() const { return point_.descriptor(); }

  void resume();
  // Admits no peer, and tells those already connected to try again. The socket stays open: a successor may have it.
  void pause();
  // The same, but the socket belongs to a successor now.
  void close();
  // Removes the path; only the instance may do so.
  void withdraw() { point_.withdraw(); }

  // Sends the reason and hangs up.
  static void refuse(ExternalSuccessor successor, const std::string& why);

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
  std::function<void(ExternalSuccessor)> begin_;
  handoff::MeetingPoint point_;
  // Shares point_'s descriptor: released, never closed.
  boost::asio::posix::stream_descriptor watched_;
  boost::asio::steady_timer retry_;
  std::list<std::shared_ptr<Caller>> callers_;  // the longest connected first
  std::uint64_t turn_ = 0;                      // incremented at each pause, so that earlier handlers do nothing
};

}  // namespace baton::proxy
