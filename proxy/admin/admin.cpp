#include "proxy/admin/admin.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <list>
#include <system_error>
#include <utility>

#include "handoff/insist.hpp"
#include "proxy/admin/session.hpp"
#include "proxy/runtime/log.hpp"

namespace baton::admin {

namespace asio = boost::asio;
using boost::system::error_code;
using handoff::UniqueFd;

namespace {

// How long to wait after an error that may persist, and while every place is taken.
constexpr std::chrono::milliseconds retry_interval{100};

int family_of(int socket) {
  int family = AF_UNSPEC;
  socklen_t length = sizeof family;
  ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &length);
  return family;
}

void set_nonblocking(int socket) {
  const int flags = ::fcntl(socket, F_GETFL);
  if (flags < 0 || ::fcntl(socket, F_SETFL, flags | O_NONBLOCK) != 0) {
    throw std::system_error(errno, std::generic_category(), "admin socket");
  }
}

}  // namespace

// Accepting is on while `watched_` holds the listening socket, or while `retry_` runs to watch it again.
class Admin::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& context, Source source, const Limits& limits)
      : context_(context), watched_(context), retry_(context) {
    service_->source = std::move(source);
    service_->limits = limits;
  }
  ~Impl() { unwatch(); }

  void listen(UniqueFd socket);
  int listener() const { return socket_.get(); }
  void pause();
  void resume();
  bool is_answering() const {
    return std::ranges::any_of(sessions_, [](const auto& session) { return session->owes_answer(); });
  }
  void close();

 private:
  void watch();
  void unwatch();
  void await_client();
  void accept_client();
  void await_later(const char* what, const std::string& why);
  void serve(UniqueFd client);
  // A session and its place: however it ends, the session is closed and the place freed.
  struct Guest {
    Guest(std::weak_ptr<Impl> admin, std::shared_ptr<Session> served)
        : weak_admin(std::move(admin)), session(std::move(served)) {}
    ~Guest();
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;

    const std::weak_ptr<Impl> weak_admin;
    const std::shared_ptr<Session> session;
  };
  static asio::awaitable<void> attend(std::unique_ptr<Guest> guest);
  void end(const std::shared_ptr<Session>& session);
  bool is_full() const { return places_taken() >= service_->limits.connections; }
  std::size_t places_taken() const;
  bool is_of_our_kind(const Session& session) const;
  bool make_room();

  asio::io_context& context_;  // outlives the Admin
  std::shared_ptr<Service> service_ = std::make_shared<Service>();
  UniqueFd socket_;
  bool is_unix_ = false;     // of socket_
  // Its descriptor is socket_'s: it is released, never closed, so that no other process gets or misses an event.
  asio::posix::stream_descriptor watched_;
  asio::steady_timer retry_;
  std::list<std::shared_ptr<Session>> sessions_;
  std::uint64_t turn_ = 0;   // incremented each time: handlers of an earlier turn do nothing
  bool in_trouble_ = false;  // accepting fails, and that has been logged
};

Admin::Admin(asio::io_context& context, Source source, Limits limits)
    : impl_(std::make_shared<Impl>(context, std::move(source), limits)) {}

Admin::~Admin() {
  impl_->close();
}

void Admin::listen(UniqueFd socket) {
  impl_->listen(std::move(socket));
}

int Admin::listener() const {
  return impl_->listener();
}

void Admin::pause() {
  impl_->pause();
}

void Admin::resume() {
  impl_->resume();
}

bool Admin::is_answering() const {
  return impl_->is_answering();
}

void Admin::Impl::listen(UniqueFd socket) {
  unwatch();
  set_nonblocking(socket.get());
  is_unix_ = family_of(socket.get()) == AF_UNIX;
  socket_ = std::move(socket);
  watch();
}

void Admin::Impl::pause() {
  service_->pausing = true;
  unwatch();
}

void Admin::Impl::resume() {
  service_->pausing = false;
  unwatch();
  if (socket_) watch();
}

void Admin::Impl::close() {
  unwatch();
  socket_.reset();
  for (const auto& session : std::exchange(sessions_, {})) session->close();
}

void Admin::Impl::watch() {
  error_code error;
  handoff::insist([&] { watched_.assign(socket_.get(), error); });
  if (error) return await_later("epoll", error.message());
  await_client();
}

void Admin::Impl::unwatch() {
  ++turn_;
  retry_.cancel();
  if (watched_.is_open()) watched_.release();
}

void Admin::Impl::await_client() {
  handoff::insist([this] {
    watched_.async_wait(asio::posix::stream_descriptor::wait_read,
                        [self = shared_from_this(), turn = turn_](const error_code& error) {
                          if (error || turn != self->turn_) return;
                          try {
                            self->accept_client();
                          } catch (const std::exception& failure) {
                            self->await_later("accept", failure.what());
                          }
                        });
  });
}

// One at a time, so that existing clients get their turn in between.
void Admin::Impl::accept_client() {
  if (is_full() && !make_room()) return await_later("", "");
  UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (client) {
    in_trouble_ = false;
    serve(std::move(client));
  } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
    return await_later("accept", std::strerror(errno));
  }
  await_client();
}

// While the error persists, waiting for readiness would return at once, again and again.
void Admin::Impl::await_later(const char* what, const std::string& why) {
  if (!why.empty() && !std::exchange(in_trouble_, true)) runtime::log::error("admin: {}: {}", what, why);
  handoff::insist([this] {
    retry_.expires_after(retry_interval);
    retry_.async_wait([self = shared_from_this(), turn = turn_](const error_code&) {
      if (turn != self->turn_) return;
      if (self->watched_.is_open()) {
        self->await_client();
      } else {
        self->watch();
      }
    });
  });
}

void Admin::Impl::serve(UniqueFd client) {
  const int family = family_of(client.get());
  if (family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  Session::Socket socket(context_);
  error_code error;
  socket.assign(asio::generic::stream_protocol(family, 0), client.get(), error);
  if (error) return;  // the kernel has no room to watch it
  client.release();
  auto guest = std::make_unique<Guest>(weak_from_this(),
                                       std::make_shared<Session>(std::move(socket), service_, family == AF_UNIX));
  sessions_.push_back(guest->session);
  asio::co_spawn(context_, attend(std::move(guest)), [](std::exception_ptr failure) {
    try {
      if (failure) std::rethrow_exception(failure);
    } catch (const std::exception& thrown) {
      runtime::log::error("admin: a connection was dropped: {}", thrown.what());
    }
  });
}

// A coroutine that lacks the memory to wait is destroyed where it stands, and its completion is never reported.
asio::awaitable<void> Admin::Impl::attend(std::unique_ptr<Guest> guest) {
  co_await Session::serve(guest->session);
}

Admin::Impl::Guest::~Guest() {
  session->close();
  if (const auto admin = weak_admin.lock()) admin->end(session);
}

void Admin::Impl::end(const std::shared_ptr<Session>& session) {
  const bool was_full = is_full();
  sessions_.remove(session);
  if (was_full) retry_.cancel();  // a session that waits for a place waits on this timer
}

// Clients that crowd a TCP address do not take places of the Unix socket, or the other way round.
bool Admin::Impl::is_of_our_kind(const Session& session) const {
  return session.is_unix() == is_unix_;
}

std::size_t Admin::Impl::places_taken() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(sessions_, [this](const auto& session) { return is_of_our_kind(*session); }));
}

bool Admin::Impl::make_room() {
  auto longest = sessions_.end();
  for (auto one = sessions_.begin(); one != sessions_.end(); ++one) {
    if (!is_of_our_kind(**one) || !(*one)->waits_since()) continue;
    if (longest == sessions_.end() || *(*one)->waits_since() < *(*longest)->waits_since()) longest = one;
  }
  if (longest == sessions_.end()) return false;
  (*longest)->close();
  sessions_.erase(longest);
  return true;
}

}  // namespace baton::admin
