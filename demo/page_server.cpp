#include "demo/page_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket.hpp>
#include <memory>
#include <utility>

#include "demo/behaviours.hpp"

namespace baton::demo {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t body_bytes_max = 2048;
constexpr std::size_t loss_bytes_max = 200;
constexpr std::size_t losses_max = 100;
constexpr auto tick_pause = 200ms;
constexpr auto download_pause = 50ms;
constexpr std::uint64_t lines_per_piece = 256;

std::string make_answer(std::string_view status, std::string_view type, std::string_view body,
                        std::string_view more = {}) {
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\n{}\r\n{}",
      status, type, body.size(), more, body);
}

std::string make_text(std::string_view status, std::string_view body) {
  return make_answer(status, "text/plain; charset=utf-8", body);
}

// One line without control characters.
std::string in_one_line(std::string text) {
  text.resize(std::min(text.size(), loss_bytes_max));
  std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return text;
}

using WebSocket = websocket::stream<tcp::socket>;

// Answers pings and closes.
asio::awaitable<void> read_all(std::shared_ptr<WebSocket> client) {
  boost::beast::flat_buffer received;
  for (;;) {
    const auto [error, bytes] = co_await client->async_read(received, as_result);
    if (error) co_return;
    received.clear();
  }
}

}  // namespace

struct PageServer::Request {
  http::request<http::string_body> message;
};

// Counts a stream as long as it is open.
class PageServer::Stream {
 public:
  explicit Stream(std::atomic<std::size_t>& count) : count_(count) { ++count_; }
  ~Stream() { --count_; }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

 private:
  std::atomic<std::size_t>& count_;  // outlives it
};

PageServer::PageServer() {
  tcp::acceptor acceptor(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  endpoint_ = acceptor.local_endpoint();
  asio::co_spawn(context_, accept_all(std::move(acceptor)), asio::detached);
  thread_ = std::thread([this] { context_.run(); });
}

PageServer::~PageServer() {
  context_.stop();
  thread_.join();
}

void PageServer::publish(std::string state) {
  const std::lock_guard lock(mutex_);
  state_ = std::move(state);
}

void PageServer::end(std::string state) {
  publish(std::move(state));
  ended_ = true;
}

std::optional<Asked> PageServer::take_command() {
  const std::lock_guard lock(mutex_);
  if (commands_.empty()) return std::nullopt;
  const Asked command = commands_.front();
  commands_.pop_front();
  return command;
}

bool PageServer::has_command() const {
  const std::lock_guard lock(mutex_);
  return !commands_.empty();
}

std::vector<std::string> PageServer::take_losses() {
  const std::lock_guard lock(mutex_);
  return std::exchange(losses_, {});
}

std::string PageServer::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

asio::awaitable<void> PageServer::accept_all(tcp::acceptor acceptor) {
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(as_result);
    if (!error) asio::co_spawn(context_, serve(std::move(socket)), asio::detached);
  }
}

// One connection, until either side ends it.
asio::awaitable<void> PageServer::serve(tcp::socket socket) {
  boost::beast::flat_buffer received;
  for (;;) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(body_bytes_max);
    const auto [read_error, read_bytes] = co_await http::async_read(socket, received, parser, as_result);
    if (read_error) co_return;
    const Request request{parser.release()};
    const auto& message = request.message;
    const Asked asked = judge({.method = message.method_string(),
                               .target = message.target(),
                               .host = message[http::field::host],
                               .origin = message[http::field::origin],
                               .fetch_site = message["Sec-Fetch-Site"]});
    if (asked == Asked::download) co_return co_await send_download(socket);
    if (asked == Asked::ticks && websocket::is_upgrade(message)) co_return co_await tick(socket, request);
    const std::string text = answer(asked, request);
    const auto [write_error, written] = co_await asio::async_write(socket, asio::buffer(text), as_result);
    if (write_error) co_return;
  }
}

std::string PageServer::answer(Asked asked, const Request& request) {
  switch (asked) {
    case Asked::page:
      return make_answer(
          "200 OK", "text/html; charset=utf-8", page_html(),
          "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
          "script-src 'unsafe-inline'; connect-src 'self' ws: wss:; img-src data:; frame-ancestors 'none'; "
          "base-uri 'none'; form-action 'none'\r\n");
    case Asked::serving:
      return make_answer("200 OK", "application/json", "{}");
    case Asked::upgrade:
    case Asked::failing_upgrade: {
      const std::lock_guard lock(mutex_);
      if (std::ranges::find(commands_, asked) == commands_.end()) commands_.push_back(asked);
      return make_text("202 Accepted", "It comes next.\n");
    }
    case Asked::dropped: {
      const std::lock_guard lock(mutex_);
      if (losses_.size() < losses_max) losses_.push_back(in_one_line(request.message.body()));
      return make_text("200 OK", "It is counted.\n");
    }
    case Asked::ticks:
      return make_text("426 Upgrade Required", "This is a WebSocket.\n");
    case Asked::foreign:
      return make_text("403 Forbidden",
                       "Only this page's own buttons do that, at an address or localhost: an Origin that is the Host "
                       "is needed.\n");
    case Asked::wrong_method:
      return make_text("405 Method Not Allowed", "There is nothing to be had by this method.\n");
    case Asked::download:
    case Asked::not_found:
      break;
  }
  return make_text("404 Not Found", "There is nothing here.\n");
}

asio::awaitable<void> PageServer::send_download(tcp::socket& socket) {
  const Stream counted(streams_);
  std::string text =
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n";
  asio::steady_timer timer(context_);
  for (std::uint64_t line = 0; !ended_; line += lines_per_piece) {
    const std::string piece = download_lines(line, lines_per_piece);
    text += fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
    const auto [error, bytes] = co_await asio::async_write(socket, asio::buffer(text), as_result);
    if (error) co_return;
    text.clear();
    timer.expires_after(download_pause);
    co_await timer.async_wait(as_result);
  }
  co_await asio::async_write(socket, asio::buffer(std::string_view("0\r\n\r\n")), as_result);
}

asio::awaitable<void> PageServer::tick(tcp::socket& socket, const Request& request) {
  const Stream counted(streams_);
  const auto client = std::make_shared<WebSocket>(std::move(socket));
  const auto [refused] = co_await client->async_accept(request.message, as_result);
  if (refused) co_return;
  asio::co_spawn(context_, read_all(client), asio::detached);
  asio::steady_timer timer(context_);
  for (std::uint64_t number = 1;; ++number) {
    const bool last = ended_;
    const std::string text = fmt::format("{{\"tick\":{},\"state\":{}}}", number, state());
    const auto [error, bytes] = co_await client->async_write(asio::buffer(text), as_result);
    if (error) co_return;
    if (last) break;
    timer.expires_after(tick_pause);
    co_await timer.async_wait(as_result);
  }
  co_await client->async_close(websocket::close_code::going_away, as_result);
}

}  // namespace baton::demo
