// `GET /events`: the clients that are told what happens as it happens, as text/event-stream. First `retry: 500`, then:
//
//   event: status    the line of `GET /status`, at once and then every second
//   event: history   the line of `GET /history`, at once and after each new sample
//   event: upgrade   a line of upgrade_events.hpp, during any upgrade
//
// A stream survives upgrades: its socket goes to the successor, which goes on writing. Only the process whose turn it
// is writes. The turn passes as a token, an eventfd that both have: a process takes it before it writes, and puts it
// back once each stream is between two events. So there are never two writers, and a writer that dies takes it along:
// its streams may end in the middle of an event, and are shut down. A client that is shut out connects again.
//
// A slow reader loses events. Runs in the io_context's thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "handoff/parties.hpp"
#include "handoff/unique_fd.hpp"
#include "proxy/admin/status.hpp"

namespace baton::admin {

// One event: `data` is one line.
std::string event(std::string_view name, std::string_view data);

class EventStreams {
 public:
  // What is told. Called in the same thread.
  struct Feed {
    std::function<void(std::function<void(Status)>)> status;  // answers at once or later, in the same thread
    std::function<std::string()> history;                     // as JSON, one line
  };
  // `context` outlives it.
  EventStreams(boost::asio::io_context& context, Feed feed);
  // Ends the streams, if they are ours.
  ~EventStreams();
  EventStreams(const EventStreams&) = delete;
  EventStreams& operator=(const EventStreams&) = delete;

  // Of each kind, Unix and TCP.
  static constexpr std::size_t streams_max = 16;
  // Kept for a reader that is slow; a further event is dropped.
  static constexpr std::size_t unsent_bytes_max = 256 * 1024;

  bool has_room(bool is_unix) const;
  // A client's socket, on which the head of the answer has been sent. It is ended at once if it is not our turn.
  void add(handoff::UniqueFd client);

  void tell_upgrade(std::string_view line);
  void tell_history();

  // ── From one process to the next ──────────────────────────────────────────────────────────────────────────────
  static constexpr const char* name_in_estate = "@events";
  static constexpr const char* token_name = "@events_turn";
  // Of our turn: the streams as they are now, and the token. They stay open until `withdraw_offer` or `leave`, even if
  // a client leaves before. Empty if there are none, or more than `sockets_max` with the token.
  std::vector<handoff::OfferedSocket> offer(std::size_t sockets_max);
  void withdraw_offer();
  // Of a successor: takes those of its predecessor out of `sockets`. It touches none of them before its turn.
  void inherit(std::vector<handoff::InheritedSocket>& sockets);
  // These two insist on what they do. Ends our turn, with each stream between two events; a stream that is not, or was
  // not offered, ends.
  void put_token();
  // Begins our turn. Without the token, streams from before end.
  void begin_turn();
  // Another process is the instance. Streams that it does not know end.
  void leave();

 private:
  struct Stream;
  using Clock = std::chrono::steady_clock;

  void watch(const std::shared_ptr<Stream>& stream);
  void unwatch(Stream& stream);
  void await_end(const std::shared_ptr<Stream>& stream);
  void await_room(const std::shared_ptr<Stream>& stream);
  template <class Tell>
  void tell_if_possible(Tell tell);
  void tell_all(const std::string& text);
  void send(const std::shared_ptr<Stream>& stream, const std::string& text);
  // False: it has ended.
  bool flush(Stream& stream);
  void end(Stream& stream);
  void end_all();
  void forget_all();
  bool take_token();
  void collect();
  void collect_later();

  boost::asio::io_context& context_;
  const Feed feed_;
  std::list<std::shared_ptr<Stream>> streams_;
  bool is_our_turn_ = false;
  bool may_be_ours_ = false;  // we have put the token, and nobody has taken it that we know of
  handoff::UniqueFd token_;   // readable: no process writes
  std::vector<handoff::UniqueFd> offered_;
  boost::asio::steady_timer timer_;
  bool is_collecting_ = false;
  bool is_collection_due_ = false;  // the timer runs
  Clock::time_point collected_{};
  std::string last_status_;  // the event
  const std::shared_ptr<const bool> is_here_ = std::make_shared<const bool>(true);
};

}  // namespace baton::admin
