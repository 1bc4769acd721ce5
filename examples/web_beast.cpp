// A Beast server for HTTP and WebSockets that is upgraded while clients are connected: keep-alive connections, half
// requests, unread responses, open WebSockets. SIGUSR2 replaces the program, and no client notices.
//
//   web_beast PORT [FILE_FOR_THE_PID]
//
// GET returns how many requests the connection has made, HEAD the same without the body. A WebSocket gets its messages
// back, each with its number.
//
// Neither a parser nor a websocket::stream of Beast can be frozen, because their intermediate state cannot be read. So
// there are two rules.
//   HTTP: a parser is used for a single attempt. The bytes stay in our buffer until a whole request has arrived.
//   WebSocket: the stream reads through our own layer (whole_frames.hpp), which never gives it part of a frame or
//   anything beyond one. So between two messages it holds nothing, and a new stream can take its place.
//
// Limits: a WebSocket cannot be frozen during a fragmented message, a closing handshake or a response that the client
// does not read. It moves when that is over or stays with the old process (UpgradableTerms::finish_timeout). The
// stream's own timeouts and permessage-deflate must be off, which is the default: both are state.
//
// Code that live upgrades need is marked with (handover).
#include <unistd.h>

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

#include "handoff/upgradable.hpp"
#include "whole_frames.hpp"

namespace handoff = baton::handoff;
namespace http = beast::http;
namespace websocket = beast::websocket;

#ifndef VERSION
#define VERSION "1.0"                                  // another build, to upgrade to: -DVERSION='"1.1"'
#endif

constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t request_bytes_max = 128 * 1024;
constexpr std::size_t message_bytes_max = WholeFrames::frame_bytes_max;

// ── WebSocket ─────────────────────────────────────────────────────────────────────────────────────────────────────

using Request = http::request<http::string_body>;

class WebSocketSession final : public handoff::Movable, public std::enable_shared_from_this<WebSocketSession> {
 public:
  WebSocketSession(asio::io_context& context, handoff::Fleet& fleet, handoff::UniqueFd socket, std::uint64_t messages,
                   std::string unread)
      : context_(context), fleet_(fleet), frozen_(std::move(socket)), messages_(messages), unread_(std::move(unread)) {}

  // A new WebSocket: the client's request is still to be answered.
  void accept(Request request) { run(std::move(request)); }

  // (handover) It has been answered: makes a new stream believe that it has just answered such a request.
  void resume() override { run(std::nullopt); }

  std::optional<handoff::Parcel> freeze() override {
    if (!stream_ || !stream_->next_layer().is_at_rest()) return std::nullopt;
    unread_ = stream_->next_layer().unread();
    frozen_.reset(stream_->next_layer().socket().release());
    stream_ = nullptr;
    std::string payload = "w " + std::to_string(messages_) + ' ' + std::to_string(unread_.size()) + " 0\n" + unread_;
    return handoff::Parcel{.label = "websocket", .descriptors = {frozen_.get()}, .payload = std::move(payload)};
  }

 private:
  using Stream = websocket::stream<WholeFrames>;

  void run(std::optional<Request> request) {
    tcp::socket socket(context_, tcp::v4(), frozen_.release());
    socket.non_blocking(true);
    auto stream = std::make_shared<Stream>(std::move(socket), std::move(unread_), [this] { fleet_.look_again(*this); });
    stream->read_message_max(message_bytes_max);
    stream_ = stream.get();
    asio::co_spawn(context_, echo(shared_from_this(), std::move(stream), std::move(request)), asio::detached);
  }

  // `self` keeps us alive while the coroutine waits; the stream lives as long as operations on it.
  asio::awaitable<void> echo([[maybe_unused]] std::shared_ptr<WebSocketSession> self, std::shared_ptr<Stream> stream,
                             std::optional<Request> request) {
    error_code error;
    if (request) {
      std::tie(error) = co_await stream->async_accept(*request, as_tuple);
    } else {
      stream->accept(any_request(), error);
    }
    while (!error) {
      beast::flat_buffer message;
      std::tie(error, std::ignore) = co_await stream->async_read(message, as_tuple);
      if (stream_ != stream.get()) co_return;          // (handover) frozen by now: this is not an error
      if (error) break;
      const std::string answer = std::to_string(++messages_) + ' ' + beast::buffers_to_string(message.data());
      stream->text(stream->got_text());
      std::tie(error, std::ignore) = co_await stream->async_write(asio::buffer(answer), as_tuple);
    }
    // (handover) shutdown, not only close: the client sees the end even if another process still holds a copy.
    error_code ignored;
    stream->next_layer().socket().shutdown(tcp::socket::shutdown_both, ignored);
    fleet_.remove(*this);
  }

  static Request any_request() {
    Request request(http::verb::get, "/", 11);
    request.set(http::field::host, "localhost");
    request.set(http::field::connection, "upgrade");
    request.set(http::field::upgrade, "websocket");
    request.set(http::field::sec_websocket_key, "AAAAAAAAAAAAAAAAAAAAAA==");
    request.set(http::field::sec_websocket_version, "13");
    return request;
  }

  asio::io_context& context_;
  handoff::Fleet& fleet_;            // outlives every session
  Stream* stream_ = nullptr;         // the coroutine's, while running
  handoff::UniqueFd frozen_;         // its socket while frozen
  std::uint64_t messages_;
  std::string unread_;               // while frozen
};

// ── HTTP ──────────────────────────────────────────────────────────────────────────────────────────────────────────

class HttpSession final : public handoff::Movable, public std::enable_shared_from_this<HttpSession> {
 public:
  struct State {
    std::uint64_t requests = 0;
    std::string unread;              // of an incomplete request
    std::string unsent;              // of responses
    bool is_last = false;            // nothing follows what is unsent
  };

  HttpSession(asio::io_context& context, handoff::Fleet& fleet, handoff::UniqueFd socket, State state)
      : context_(context), socket_(context), fleet_(fleet), frozen_(std::move(socket)), state_(std::move(state)) {}

  // (handover) A connection starts here, whether it was accepted, adopted or taken back.
  void resume() override {
    socket_.assign(tcp::v4(), frozen_.release());
    socket_.non_blocking(true);
    asio::co_spawn(context_, serve(shared_from_this()), asio::detached);
  }

  // (handover) Between two handlers the state is complete: there is no parser, and nothing is being read or written.
  std::optional<handoff::Parcel> freeze() override {
    ++run_;
    frozen_.reset(socket_.release());
    std::string payload = "h " + std::to_string(state_.requests) + ' ' + std::to_string(state_.unread.size()) + ' ' +
                          (state_.is_last ? "1" : "0") + '\n' + state_.unread + state_.unsent;
    return handoff::Parcel{.label = "http", .descriptors = {frozen_.get()}, .payload = std::move(payload)};
  }

 private:
  asio::awaitable<void> serve([[maybe_unused]] std::shared_ptr<HttpSession> self) {
    const auto run = ++run_;
    for (bool open = true; open;) {
      if (state_.unsent.empty() && !state_.is_last) answer_next();
      if (run != run_) co_return;    // it is a WebSocket now
      const bool sending = !state_.unsent.empty();
      if (!sending && state_.is_last) break;
      co_await socket_.async_wait(sending ? tcp::socket::wait_write : tcp::socket::wait_read, as_tuple);
      if (run != run_) co_return;    // frozen by now, and perhaps resumed with a new coroutine
      open = sending ? send() : receive();
    }
    // (handover) shutdown, not only close: the client sees the end even if another process still holds a copy.
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    fleet_.remove(*this);
  }

  bool receive() {
    return state_.unread.size() <= request_bytes_max && read_what_is_there(socket_, state_.unread);
  }

  bool send() {
    error_code error;
    state_.unsent.erase(0, socket_.write_some(asio::buffer(state_.unsent), error));
    return !error || error == asio::error::would_block;
  }

  // Answers one request if it is complete. If not, the bytes stay, and a new parser starts over with all of them.
  void answer_next() {
    if (state_.unread.empty()) return;
    http::request_parser<http::string_body> parser;
    parser.eager(true);
    parser.body_limit(request_bytes_max);
    error_code error;
    const std::size_t used = parser.put(asio::buffer(state_.unread), error);
    if (error == http::error::need_more || (!error && !parser.is_done())) return;
    http::response<http::string_body> response(error ? http::status::bad_request : http::status::ok, 11);
    if (!error) {
      state_.unread.erase(0, used);
      if (websocket::is_upgrade(parser.get())) return become_websocket(parser.release());
      response.body() = "request " + std::to_string(++state_.requests) + " of this connection, body of " +
                        std::to_string(parser.get().body().size()) + " bytes\n";
    }
    response.set(http::field::server, "web_beast/" VERSION);
    response.keep_alive(!error && parser.get().keep_alive());
    response.prepare_payload();
    state_.is_last = !response.keep_alive();
    std::ostringstream text;
    if (!error && parser.get().method() == http::verb::head) {
      text << response.base();         // with the Content-Length that GET would get
    } else {
      text << response;
    }
    state_.unsent = text.str();
  }

  void become_websocket(Request request) {
    ++run_;
    auto session = std::make_shared<WebSocketSession>(context_, fleet_, handoff::UniqueFd(socket_.release()), 0,
                                                      std::move(state_.unread));
    fleet_.add(session);
    session->accept(std::move(request));
    fleet_.remove(*this);
  }

  asio::io_context& context_;
  tcp::socket socket_;               // while running
  handoff::Fleet& fleet_;            // outlives every session
  handoff::UniqueFd frozen_;         // the same socket while frozen
  State state_;
  unsigned run_ = 0;                 // which coroutine may touch all of this
};

// ── The process ───────────────────────────────────────────────────────────────────────────────────────────────────

class WebServer final : public handoff::Service {
 public:
  WebServer(asio::io_context& context, handoff::Fleet& fleet, int listener)
      : context_(context), fleet_(fleet), listener_(listener), acceptor_(context) {}
  ~WebServer() override { stop_accepting(); }

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

  // (handover) "h requests unread-bytes is-last", or "w messages unread-bytes 0"; then the bytes.
  handoff::Result<std::shared_ptr<handoff::Movable>> adopt(handoff::ReceivedParcel parcel) override {
    const auto refusal = handoff::fail(handoff::Fault::malformed, "no connection of ours");
    const std::size_t line_bytes = parcel.payload.find('\n') + 1;
    char kind = 0;
    unsigned long long count = 0;
    std::size_t unread_bytes = 0;
    int is_last = 0;
    if (line_bytes == 0 || parcel.descriptors.size() != 1 ||
        std::sscanf(parcel.payload.c_str(), "%c %llu %zu %d", &kind, &count, &unread_bytes, &is_last) != 4 ||
        unread_bytes > parcel.payload.size() - line_bytes) {
      return refusal;
    }
    auto& socket = parcel.descriptors[0];
    std::string unread = parcel.payload.substr(line_bytes, unread_bytes);
    std::string unsent = parcel.payload.substr(line_bytes + unread_bytes);
    if (kind == 'w') {
      return std::make_shared<WebSocketSession>(context_, fleet_, std::move(socket), count, std::move(unread));
    }
    if (kind != 'h') return refusal;
    return std::make_shared<HttpSession>(context_, fleet_, std::move(socket),
                                         HttpSession::State{count, std::move(unread), std::move(unsent), is_last != 0});
  }

 private:
  asio::awaitable<void> accept_loop() {
    const auto run = ++run_;
    for (;;) {
      co_await acceptor_.async_wait(tcp::acceptor::wait_read, as_tuple);
      if (run != run_) co_return;
      error_code error;
      tcp::socket socket = acceptor_.accept(error);
      if (error) continue;
      auto session = std::make_shared<HttpSession>(context_, fleet_, handoff::UniqueFd(socket.release()),
                                                   HttpSession::State{});
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
  if (argc < 2) throw std::runtime_error("usage: web_beast PORT [FILE_FOR_THE_PID]");
  asio::io_context context(1);       // outlives the sockets of the fleet
  // (handover) Before anything else: from here on SIGUSR2 does not kill us, and a successor has its inheritance.
  handoff::Upgradable process({.arguments = {argv, argv + argc},
                               .version = VERSION,
                               .pid_file = argc > 2 ? argv[2] : ""});
  const int listener = process.listener("web", [&] {
    tcp::acceptor acceptor(context, {tcp::v4(), static_cast<asio::ip::port_type>(std::stoi(argv[1]))});
    return handoff::UniqueFd(acceptor.release());
  });
  WebServer server(context, process.fleet(), listener);
  process.serve(server);
  asio::co_spawn(context, attend(process, context), asio::detached);
  context.run();
  return process.exit_code();
} catch (const std::exception& error) {
  std::fprintf(stderr, "web_beast: %s\n", error.what());
  return 1;
}
