#include "proxy/ctl/conversation.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>
#include <vector>

#include "handoff/unique_fd.hpp"
#include "proxy/process/names.hpp"

namespace baton::ctl {

namespace http = boost::beast::http;
using Clock = std::chrono::steady_clock;
using handoff::UniqueFd;

namespace {

constexpr std::uint32_t head_bytes_max = 16 * 1024;
constexpr std::size_t line_bytes_max = 1024 * 1024;

std::string nobody_at(const config::Address& address, int error) {
  std::string text = "cannot reach the admin interface at " + address.text() + ": " + std::strerror(error);
  if (error == ENOENT || error == ECONNREFUSED) text += "; is Baton running? (--admin or -c names another address)";
  if (error == EACCES || error == EPERM) text += "; only the user that Baton runs as may connect";
  return text;
}

// False: the time is up.
bool await(int socket, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd polled{socket, events, 0};
    const int ready = ::poll(&polled, 1, static_cast<int>(std::max<long long>(left, 0)));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

// 0, or the error.
int connect_to(const state::SocketAddress& address, Clock::time_point deadline, UniqueFd& socket) {
  sockaddr_storage storage{};
  const socklen_t length = address.to_sockaddr(storage);
  socket = UniqueFd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return errno;
  // A Unix socket whose queue is full answers EAGAIN, and cannot be waited for.
  for (;;) {
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0) return 0;
    if (errno != EAGAIN || Clock::now() >= deadline) break;
    ::poll(nullptr, 0, 20);
  }
  if (errno != EINPROGRESS) return errno;
  if (!await(socket.get(), POLLOUT, deadline)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

std::string head_of(const Request& request, bool is_unix) {
  std::string head = request.method + " " + request.target + " HTTP/1.1\r\nHost: baton\r\nConnection: close\r\n";
  if (!request.token.empty() && !is_unix) head += "Authorization: Bearer " + request.token + "\r\n";
  if (!request.body.empty()) head += "Content-Type: " + std::string(request.content_type) + "\r\n";
  if (request.method != "GET") head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return head + "\r\n" + request.body;
}

class Exchange {
 public:
  Exchange(UniqueFd socket, const config::Address& address, const Request& request, Clock::time_point deadline)
      : socket_(std::move(socket)), address_(address), request_(request), deadline_(deadline) {
    parser_.header_limit(head_bytes_max);
    parser_.body_limit(request.on_line ? boost::optional<std::uint64_t>() : request.answer_bytes_max);
    parser_.eager(true);
  }

  std::expected<Answer, std::string> run() {
    // Reads the answer even if not all could be sent: it may be a refusal.
    send();
    std::string received;
    while (!parser_.is_done()) {
      boost::system::error_code error;
      received.erase(0, parser_.put(boost::asio::buffer(received), error));
      if (auto lines = pass_lines_on(); !lines) return std::unexpected(lines.error());
      if (error && error != http::error::need_more) return no_http(error.message());
      if (parser_.is_done()) break;
      if (!error && !received.empty()) continue;
      if (auto more = receive(received); !more) return std::unexpected(more.error());
      if (!ended_) continue;
      if (!parser_.got_some()) return broken("the connection ended without an answer");
      parser_.put_eof(error);
      if (error) return broken("the connection ended in the middle of the answer");
    }
    const auto type = parser_.get()[http::field::content_type];
    return Answer{parser_.get().result_int(), std::string(type), std::move(parser_.get().body())};
  }

 private:
  std::unexpected<std::string> broken(const std::string& why) const {
    return std::unexpected("the admin interface at " + address_.text() + ": " + why);
  }
  std::unexpected<std::string> no_http(const std::string& why) const {
    return broken("this is not an answer from Baton (" + why + ")");
  }

  void send() {
    const std::string bytes = head_of(request_, !address_.unix_path.empty());
    for (std::size_t sent = 0; sent < bytes.size();) {
      const ssize_t count = ::send(socket_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count > 0) {
        sent += static_cast<std::size_t>(count);
      } else if (errno == EAGAIN) {
        if (!await(socket_.get(), POLLOUT, deadline_)) return;
      } else if (errno != EINTR) {
        return;
      }
    }
  }

  std::expected<void, std::string> receive(std::string& into) {
    char piece[16 * 1024];
    for (;;) {
      if (request_.on_silence && !std::exchange(has_told_silence_, true) &&
          !await(socket_.get(), POLLIN, std::min(deadline_, Clock::now() + request_.silence))) {
        request_.on_silence();
      }
      if (!await_answer()) return broken("no answer in time");
      if (is_ended_by_us_) return broken("it is not waited for");
      const ssize_t count = ::recv(socket_.get(), piece, sizeof piece, 0);
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (count < 0 && errno != ECONNRESET) return broken(std::strerror(errno));
      ended_ = count <= 0;
      if (count > 0) into.append(piece, static_cast<std::size_t>(count));
      if (request_.on_line) deadline_ = Clock::now() + request_.patience;
      return {};
    }
  }

  // False: the time is up.
  bool await_answer() {
    if (request_.wake_fd < 0) return await(socket_.get(), POLLIN, deadline_);
    for (;;) {
      is_ended_by_us_ = !request_.on_wake();
      if (is_ended_by_us_) return true;
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
      pollfd polled[] = {{socket_.get(), POLLIN, 0}, {request_.wake_fd, POLLIN, 0}};
      const int ready = ::poll(polled, std::size(polled), static_cast<int>(std::max<long long>(left, 0)));
      if (ready == 0) return false;
      if (ready > 0 && polled[0].revents != 0) return true;
    }
  }

  std::expected<void, std::string> pass_lines_on() {
    if (!request_.on_line || !parser_.is_header_done()) return {};
    std::string& body = parser_.get().body();
    if (parser_.get().result_int() == 200) {
      for (std::size_t end; (end = body.find('\n')) != std::string::npos; body.erase(0, end + 1)) {
        request_.on_line(std::string_view(body).substr(0, end));
      }
    }
    if (body.size() > line_bytes_max) return no_http("a line without an end");
    return {};
  }

  UniqueFd socket_;
  const config::Address& address_;
  const Request& request_;
  Clock::time_point deadline_;
  http::response_parser<http::string_body> parser_;
  bool ended_ = false;
  bool is_ended_by_us_ = false;
  bool has_told_silence_ = false;
};

}  // namespace

std::expected<Answer, NoAnswer> ask(const config::Address& address, const Request& request) {
  const auto deadline = Clock::now() + request.patience;
  const auto addresses = process::look_up(address);
  if (!addresses) return std::unexpected(NoAnswer{"cannot look up " + address.text() + ": " + addresses.error()});
  int error = ECONNREFUSED;
  for (const state::SocketAddress& one : *addresses) {
    UniqueFd socket;
    error = connect_to(one, deadline, socket);
    if (error != 0) continue;
    auto answer = Exchange(std::move(socket), address, request, deadline).run();
    if (!answer) return std::unexpected(NoAnswer{std::move(answer.error()), true});
    return std::move(*answer);
  }
  return std::unexpected(NoAnswer{nobody_at(address, error)});
}

}  // namespace baton::ctl
