#include "proxy/server/external_successors.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "handoff/insist.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/server/timer.hpp"

namespace baton::proxy {

namespace asio = boost::asio;
namespace log = runtime::log;
using boost::system::error_code;

namespace {

// At this limit, the one that has been silent longest is dropped for a new one.
constexpr std::size_t callers_max = 16;
// A successor sends its Hello at once.
constexpr std::chrono::seconds silence_max{10};
constexpr std::chrono::milliseconds retry_interval{100};

}  // namespace

// A peer that has connected but not sent its Hello.
struct ExternalSuccessors::Caller {
  Caller(asio::io_context& context, handoff::UniqueFd socket, const handoff::Peer& peer)
      : channel(std::move(socket)), who(peer), watched(context, channel.descriptor()), patience(context) {}
  ~Caller() {
    if (watched.is_open()) watched.release();
  }

  handoff::Channel channel;
  handoff::Peer who;
  asio::posix::stream_descriptor watched;  // its descriptor is the channel's
  asio::steady_timer patience;
};

ExternalSuccessors::ExternalSuccessors(asio::io_context& context, std::function<void(ExternalSuccessor)> begin)
    : context_(context), begin_(std::move(begin)), watched_(context), retry_(context) {}

void ExternalSuccessors::meet_at(handoff::MeetingPoint point) {
  point_ = std::move(point);
}

void ExternalSuccessors::resume() {
  if (!has_meeting_point() || watched_.is_open()) return;
  error_code error;
  handoff::insist([&] { watched_.assign(point_.descriptor(), error); });
  if (error) return log::error("takeover: no process can take over: {}", error.message());
  await_caller();
}

void ExternalSuccessors::pause() {
  ++turn_;
  retry_.cancel();
  if (watched_.is_open()) watched_.release();
  for (const auto& caller : std::exchange(callers_, {})) {
    caller->watched.release();
    // If there is no memory for the reason, closing the channel is enough.
    (void)handoff::as_result([&]() -> handoff::Result<void> {
      refuse({std::move(caller->channel), caller->who}, "another process is about to be the instance; try again");
      return {};
    });
  }
}

void ExternalSuccessors::close() {
  pause();
  point_ = {};
}

void ExternalSuccessors::refuse(ExternalSuccessor successor, const std::string& why) {
  handoff::send_abort(successor.channel, {handoff::Fault::refused, why}, handoff::Clock::now());
}

void ExternalSuccessors::await_caller() {
  handoff::insist([this] {
    watched_.async_wait(asio::posix::stream_descriptor::wait_read, [this, turn = turn_](const error_code& error) {
      if (error || turn != turn_) return;
      try {
        accept_caller();
      } catch (const std::exception& failure) {
        log::error("takeover: {}", failure.what());
        accept_later();
      }
    });
  });
}

void ExternalSuccessors::accept_caller() {
  handoff::UniqueFd socket(::accept4(point_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (socket) {
    let_in(std::move(socket));
  } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
    return accept_later();
  }
  await_caller();
}

// Without descriptors, waiting for readiness would return at once, again and again.
void ExternalSuccessors::accept_later() {
  call_after(retry_, retry_interval, [this, turn = turn_] {
    if (turn == turn_) await_caller();
  });
}

void ExternalSuccessors::let_in(handoff::UniqueFd socket) {
  const auto peer = handoff::peer_of(socket.get());
  if (!peer) return;
  if (!handoff::is_trusted(*peer)) {
    log::warning("takeover: {} is refused: only our own user and root may take over", peer->text());
    return refuse({handoff::Channel(std::move(socket)), *peer},
                  "only the running instance's user and root may take over");
  }
  if (callers_.size() == callers_max) end(callers_.front());
  const auto caller = std::make_shared<Caller>(context_, std::move(socket), *peer);
  callers_.push_back(caller);
  caller->patience.expires_after(silence_max);
  caller->patience.async_wait([this, weak = std::weak_ptr(caller)](const error_code& error) {
    const auto late = weak.lock();
    if (!error && late) end(late);
  });
  listen_to(caller);
}

void ExternalSuccessors::listen_to(const std::shared_ptr<Caller>& caller) {
  caller->watched.async_wait(asio::posix::stream_descriptor::wait_read,
                             [this, weak = std::weak_ptr(caller)](const error_code& error) {
                               const auto speaking = weak.lock();
                               if (!error && speaking) hear(speaking);
                             });
}

void ExternalSuccessors::hear(const std::shared_ptr<Caller>& caller) {
  const auto frame = caller->channel.look();
  if (frame && *frame == nullptr) return listen_to(caller);
  const bool is_hello = frame && (*frame)->kind == handoff::Kind::hello;
  if (is_hello) {
    caller->watched.release();
    ExternalSuccessor successor{std::move(caller->channel), caller->who};
    callers_.remove(caller);
    return begin_(std::move(successor));
  }
  if (frame || frame.error().fault != handoff::Fault::closed) {
    log::warning("takeover: {} is not an external successor: it sent no Hello", caller->who.text());
  }
  end(caller);
}

void ExternalSuccessors::end(const std::shared_ptr<Caller>& caller) {
  const auto kept = caller;  // `caller` may be the list's own
  callers_.remove(kept);
}

}  // namespace baton::proxy
