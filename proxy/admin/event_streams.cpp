#include "proxy/admin/event_streams.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/system/error_code.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <utility>

#include "handoff/insist.hpp"

namespace baton::admin {

namespace asio = boost::asio;
using boost::system::error_code;
using handoff::UniqueFd;

namespace {

constexpr std::string_view first_words = "retry: 500\n\n";
constexpr std::chrono::milliseconds collect_every{1000};
// A client whose machine has gone away says nothing, and would keep its place.
constexpr unsigned unacknowledged_ms_max = 60'000;

bool is_unix(int socket) {
  int family = AF_UNSPEC;
  socklen_t length = sizeof family;
  ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &length);
  return family == AF_UNIX;
}

}  // namespace

std::string event(std::string_view name, std::string_view data) {
  std::string text;
  text.reserve(name.size() + data.size() + 32);
  return text.append("event: ").append(name).append("\ndata: ").append(data).append("\n\n");
}

struct EventStreams::Stream {
  Stream(asio::io_context& context, UniqueFd client)
      : socket(std::move(client)), is_of_unix(is_unix(socket.get())), watched(context) {}

  bool has_ended() const { return !socket; }
  bool is_between_events() const { return sent_of_front == 0; }

  UniqueFd socket;
  const bool is_of_unix;
  // Its descriptor is the socket's. It is released, never closed: closing leaves a socket that another process has,
  // too, in our epoll.
  asio::posix::stream_descriptor watched;
  std::uint64_t turn = 0;  // incremented by each `unwatch`: handlers of an earlier turn do nothing
  bool awaits_room = false;
  bool is_offered = false;
  std::deque<std::string> unsent;  // whole events, but for the first one
  std::size_t unsent_bytes = 0;
  std::size_t sent_of_front = 0;
};

EventStreams::EventStreams(asio::io_context& context, Feed feed)
    : context_(context), feed_(std::move(feed)), timer_(context) {}

EventStreams::~EventStreams() {
  if (is_our_turn_) end_all();
  forget_all();
}

bool EventStreams::has_room(bool of_unix) const {
  const auto taken = std::ranges::count_if(streams_, [&](const auto& one) { return one->is_of_unix == of_unix; });
  return static_cast<std::size_t>(taken) < streams_max;
}

void EventStreams::add(UniqueFd client) {
  ::fcntl(client.get(), F_SETFL, ::fcntl(client.get(), F_GETFL) | O_NONBLOCK);
  ::setsockopt(client.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms_max, sizeof unacknowledged_ms_max);
  const auto stream = std::make_shared<Stream>(context_, std::move(client));
  if (!is_our_turn_ || !has_room(stream->is_of_unix)) {
    send(stream, std::string(first_words));
    return end(*stream);
  }
  const std::string history = event("history", feed_.history());
  streams_.push_back(stream);
  watch(stream);
  send(stream, std::string(first_words));
  send(stream, history);
  if (!is_collecting_ && is_collection_due_ && !last_status_.empty()) return send(stream, last_status_);
  collect();
}

void EventStreams::tell_upgrade(std::string_view line) {
  tell_if_possible([&] { tell_all(event("upgrade", line)); });
}

void EventStreams::tell_history() {
  tell_if_possible([&] { tell_all(event("history", feed_.history())); });
}

// An event that there is no memory for is lost, as on a slow client.
template <class Tell>
void EventStreams::tell_if_possible(Tell tell) {
  if (!is_our_turn_ || streams_.empty()) return;
  try {
    tell();
  } catch (const std::bad_alloc&) {
  }
}

// ── The status ────────────────────────────────────────────────────────────────────────────────────────────────────

void EventStreams::collect() {
  if (is_collecting_ || !is_our_turn_ || streams_.empty()) return;
  is_collecting_ = true;
  collected_ = Clock::now();
  try {
    feed_.status([this, here = std::weak_ptr(is_here_)](const Status& status) {
      if (here.expired()) return;
      is_collecting_ = false;
      collect_later();
      if (!is_our_turn_ || streams_.empty()) return;
      last_status_ = event("status", to_json(status));
      tell_all(last_status_);
    });
  } catch (...) {
    is_collecting_ = false;
    collect_later();
    throw;
  }
}

// It runs at least once after the last stream has ended, so that no second brings two collections.
void EventStreams::collect_later() {
  if (is_collection_due_) return;
  handoff::insist([this] {
    timer_.expires_at(collected_ + collect_every);
    timer_.async_wait([this, here = std::weak_ptr(is_here_)](const error_code& error) {
      if (error || here.expired()) return;
      is_collection_due_ = false;
      last_status_.clear();
      collect();
    });
  });
  is_collection_due_ = true;
}

// ── One stream ────────────────────────────────────────────────────────────────────────────────────────────────────

void EventStreams::watch(const std::shared_ptr<Stream>& stream) {
  error_code error;
  handoff::insist([&] { stream->watched.assign(stream->socket.get(), error); });
  if (error) return end(*stream);
  await_end(stream);
}

void EventStreams::unwatch(Stream& stream) {
  ++stream.turn;
  stream.awaits_room = false;
  if (stream.watched.is_open()) stream.watched.release();
}

// A client has nothing to say; what it sends all the same is discarded.
void EventStreams::await_end(const std::shared_ptr<Stream>& stream) {
  handoff::insist([&] {
    stream->watched.async_wait(
        asio::posix::stream_descriptor::wait_read,
        [this, here = std::weak_ptr(is_here_), stream, turn = stream->turn](const error_code& error) {
          if (error || here.expired() || turn != stream->turn || stream->has_ended()) return;
          std::array<char, 4096> discarded;
          const ssize_t count = ::recv(stream->socket.get(), discarded.data(), discarded.size(), MSG_DONTWAIT);
          if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return end(*stream);
          await_end(stream);
        });
  });
}

void EventStreams::await_room(const std::shared_ptr<Stream>& stream) {
  if (stream->awaits_room || !stream->watched.is_open()) return;
  handoff::insist([&] {
    stream->watched.async_wait(
        asio::posix::stream_descriptor::wait_write,
        [this, here = std::weak_ptr(is_here_), stream, turn = stream->turn](const error_code& error) {
          if (error || here.expired() || turn != stream->turn || stream->has_ended()) return;
          stream->awaits_room = false;
          if (flush(*stream) && !stream->unsent.empty()) await_room(stream);
        });
  });
  stream->awaits_room = true;
}

void EventStreams::tell_all(const std::string& text) {
  for (auto next = streams_.begin(); next != streams_.end();) {
    const std::shared_ptr<Stream> stream = *next++;
    send(stream, text);
  }
}

// Whole or not at all: if there is no memory, nothing of it has been sent.
void EventStreams::send(const std::shared_ptr<Stream>& stream, const std::string& text) {
  if (stream->has_ended()) return;
  if (!stream->unsent.empty() && stream->unsent_bytes + text.size() > unsent_bytes_max) return;
  stream->unsent.push_back(text);
  stream->unsent_bytes += text.size();
  if (flush(*stream) && !stream->unsent.empty()) await_room(stream);
}

bool EventStreams::flush(Stream& stream) {
  while (!stream.unsent.empty()) {
    const std::string& front = stream.unsent.front();
    const ssize_t sent = ::send(stream.socket.get(), front.data() + stream.sent_of_front,
                                front.size() - stream.sent_of_front, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) return true;
      end(stream);
      return false;
    }
    stream.sent_of_front += static_cast<std::size_t>(sent);
    if (stream.sent_of_front < front.size()) continue;
    stream.unsent_bytes -= front.size();
    stream.sent_of_front = 0;
    stream.unsent.pop_front();
  }
  return true;
}

// For every process that has the socket.
void EventStreams::end(Stream& stream) {
  if (stream.has_ended()) return;
  ::shutdown(stream.socket.get(), SHUT_RDWR);
  unwatch(stream);
  stream.socket.reset();
  std::erase_if(streams_, [&](const auto& one) { return one.get() == &stream; });
}

void EventStreams::end_all() {
  while (!streams_.empty()) {
    const auto stream = streams_.front();
    end(*stream);
  }
}

void EventStreams::forget_all() {
  for (const auto& stream : streams_) {
    unwatch(*stream);
    stream->socket.reset();
  }
  streams_.clear();
}

// ── From one process to the next ──────────────────────────────────────────────────────────────────────────────────

std::vector<handoff::OfferedSocket> EventStreams::offer(std::size_t sockets_max) {
  withdraw_offer();
  std::vector<handoff::OfferedSocket> sockets;
  if (!is_our_turn_ || streams_.empty() || streams_.size() >= sockets_max) return sockets;
  UniqueFd token(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!token) return sockets;
  sockets.push_back({token_name, "", token.get()});
  for (const auto& stream : streams_) {
    UniqueFd copy(::fcntl(stream->socket.get(), F_DUPFD_CLOEXEC, 3));
    if (!copy) continue;
    sockets.push_back({name_in_estate, "", copy.get()});
    offered_.push_back(std::move(copy));
    stream->is_offered = true;
  }
  token_ = std::move(token);
  return sockets;
}

void EventStreams::withdraw_offer() {
  offered_.clear();
  for (const auto& stream : streams_) stream->is_offered = false;
  token_.reset();
}

void EventStreams::inherit(std::vector<handoff::InheritedSocket>& sockets) {
  for (handoff::InheritedSocket& socket : sockets) {
    if (socket.name == token_name) token_ = std::move(socket.descriptor);
    if (socket.name == name_in_estate && socket.descriptor) {
      streams_.push_back(std::make_shared<Stream>(context_, std::move(socket.descriptor)));
    }
  }
}

void EventStreams::put_token() {
  if (!is_our_turn_) return;
  for (auto next = streams_.begin(); next != streams_.end();) {
    const std::shared_ptr<Stream> stream = *next++;  // one that ends leaves the list
    if (!flush(*stream)) continue;
    if (!stream->is_offered || !token_ || !stream->is_between_events()) {
      end(*stream);
      continue;
    }
    unwatch(*stream);
    stream->unsent.clear();
    stream->unsent_bytes = 0;
  }
  is_our_turn_ = false;
  may_be_ours_ = true;
  const std::uint64_t one = 1;
  if (token_ && ::write(token_.get(), &one, sizeof one) != sizeof one) end_all();
}

bool EventStreams::take_token() {
  std::uint64_t count = 0;
  return token_ && ::read(token_.get(), &count, sizeof count) == sizeof count;
}

void EventStreams::begin_turn() {
  if (is_our_turn_) return;
  if (!streams_.empty() && !take_token()) end_all();
  withdraw_offer();
  is_our_turn_ = true;
  may_be_ours_ = false;
  for (auto next = streams_.begin(); next != streams_.end();) {
    const std::shared_ptr<Stream> stream = *next++;
    watch(stream);
  }
  last_status_.clear();  // of before
  collected_ = {};
  tell_if_possible([this] { collect(); });
  tell_history();
}

void EventStreams::leave() {
  if (is_our_turn_ || (may_be_ours_ && take_token())) end_all();
  is_our_turn_ = may_be_ours_ = false;
  forget_all();
  withdraw_offer();
}

}  // namespace baton::admin
