// A connection to the admin interface: it receives requests and sends answers, until one side ends it.
#include "proxy/admin/session.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "proxy/admin/session_parts.hpp"

namespace baton::admin {

namespace {

constexpr std::size_t first_read_bytes = 2048;
constexpr std::size_t linger_bytes_max = 256 * 1024;
// How to refuse what was received; nothing if the client is gone.
std::optional<http::status> refusal_of(const beast::error_code& error) {
  if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return http::status::request_header_fields_too_large;
  }
  if (error == http::error::body_limit) return http::status::payload_too_large;
  if (error.category() == make_error_code(http::error::end_of_stream).category()) return http::status::bad_request;
  return std::nullopt;
}

}  // namespace

Session::Session(Socket socket, std::shared_ptr<Service> service, bool is_unix)
    : stream_(std::move(socket)),
      received_(service->limits.head_bytes + service->limits.body_bytes),
      service_(std::move(service)),
      is_unix_(is_unix) {}

asio::awaitable<void> Session::serve(std::shared_ptr<Session> session) {
  // g++ 12 awaits a co_await on the right of && whatever the left side is.
  while (co_await session->receive_first_byte()) {
    Parser parser;
    if (const beast::error_code error = co_await session->receive(parser)) {
      if (const auto status = refusal_of(error)) co_await session->refuse(*status);
      break;
    }
    session->answering_ = true;
    Request request = parser.release();
    Response response = co_await session->answer(request);
    response.version(request.version());
    response.keep_alive(request.keep_alive() && !session->service_->pausing);
    if (session->pending_lines_) {
      co_await session->send_lines(response);
      break;
    }
    if (session->becomes_stream_) {
      co_await session->become_stream(response);
      break;
    }
    const bool goes_on = co_await session->send(response, request.method() == http::verb::head);
    session->answering_ = false;
    session->waits_since_ = Clock::now();
    session->expected_since_.reset();
    if (!goes_on) break;
  }
  session->close();
}

std::optional<Session::Clock::time_point> Session::waits_since() const {
  if (!answering_) return waits_since_;
  if (writing_since_ && Clock::now() - *writing_since_ >= service_->limits.expected) return writing_since_;
  return std::nullopt;
}

bool Session::owes_answer() const {
  return answering_ || (expected_since_ && Clock::now() - *expected_since_ < service_->limits.expected);
}

void Session::close() {
  stream_.close();
  if (pending_status_) pending_status_->timer.cancel();
  if (pending_reply_) pending_reply_->timer.cancel();
  if (const auto lines = std::exchange(pending_lines_, nullptr)) lines->timer.cancel();
}

// A pipelined request may have arrived with the previous one.
asio::awaitable<bool> Session::receive_first_byte() {
  if (received_.size() > 0) {
    expected_since_ = Clock::now();
    co_return true;
  }
  stream_.expires_after(service_->limits.idle);
  const auto [error, bytes] = co_await stream_.async_read_some(received_.prepare(first_read_bytes), as_result);
  received_.commit(bytes);
  expected_since_ = Clock::now();
  co_return bytes > 0;
}

asio::awaitable<beast::error_code> Session::receive(Parser& parser) {
  const Limits& limits = service_->limits;
  parser.header_limit(limits.head_bytes);
  parser.body_limit(std::max(limits.body_bytes, limits.configuration_bytes));
  stream_.expires_after(limits.exchange);
  const auto [head_error, head_bytes] = co_await http::async_read_header(stream_, received_, parser, as_result);
  if (head_error) co_return head_error;
  if (parser.get().method() != http::verb::put || !may_command(parser.get())) {
    const auto length = parser.content_length();
    if (length && *length > limits.body_bytes) co_return http::error::body_limit;
    parser.body_limit(limits.body_bytes);
  }
  const auto [error, bytes] = co_await http::async_read(stream_, received_, parser, as_result);
  co_return error;
}

// True: the connection may serve another request.
asio::awaitable<bool> Session::send(Response& response, bool head_only) {
  response.prepare_payload();
  const bool keep_alive = response.keep_alive();
  http::response_serializer<http::string_body> serializer(response);
  beast::error_code failure;
  writing_since_ = Clock::now();
  stream_.expires_after(service_->limits.exchange);
  if (head_only) {
    const auto [error, bytes] = co_await http::async_write_header(stream_, serializer, as_result);
    failure = error;
  } else {
    const auto [error, bytes] = co_await http::async_write(stream_, serializer, as_result);
    failure = error;
  }
  writing_since_.reset();
  co_return !failure && keep_alive;
}

// Sends lines as they come, until the last one or until close().
asio::awaitable<void> Session::send_lines(Response& head) {
  const auto lines = pending_lines_;
  head.set(http::field::content_type, "application/x-ndjson");
  head.keep_alive(false);
  head.chunked(true);
  http::response_serializer<http::string_body> serializer(head);
  stream_.expires_after(service_->limits.exchange);
  const auto [failure, head_bytes] = co_await http::async_write_header(stream_, serializer, as_result);
  if (failure) co_return;
  while (pending_lines_) {
    if (lines->text.empty()) {
      lines->timer.expires_at(Clock::time_point::max());
      co_await lines->timer.async_wait(as_result);
      continue;
    }
    const bool is_last = lines->ended;
    const std::string text = std::exchange(lines->text, {});
    writing_since_ = Clock::now();
    stream_.expires_after(service_->limits.exchange);
    const auto [error, bytes] = co_await asio::async_write(stream_, http::make_chunk(asio::buffer(text)), as_result);
    writing_since_.reset();
    if (error) co_return;
    if (is_last) break;
  }
  co_await asio::async_write(stream_, http::make_chunk_last(), as_result);
}

// Not chunked: the body ends with the connection, and each event can be written by another process.
asio::awaitable<void> Session::become_stream(Response& head) {
  head.keep_alive(false);
  http::response_serializer<http::string_body> serializer(head);
  stream_.expires_after(service_->limits.exchange);
  writing_since_ = Clock::now();
  const auto [failure, bytes] = co_await http::async_write_header(stream_, serializer, as_result);
  writing_since_.reset();
  if (failure || !stream_.socket().is_open()) co_return;
  beast::error_code error;
  auto socket = stream_.release_socket();
  handoff::UniqueFd client(socket.release(error));
  if (client) service_->source.events->add(std::move(client));
}

asio::awaitable<void> Session::refuse(http::status status) {
  Response response;
  const auto reason = http::obsolete_reason(status);
  set_text(response, status, std::string_view(reason.data(), reason.size()));
  response.version(11);
  response.keep_alive(false);
  co_await send(response, false);
  expected_since_.reset();
  co_await linger();
}

// A close with bytes unread is a reset, which could overtake the answer (RFC 9112 §9.6).
asio::awaitable<void> Session::linger() {
  beast::error_code ignored;
  stream_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
  stream_.expires_after(service_->limits.exchange);
  std::array<char, 4096> discarded;
  for (std::size_t total = 0; total < linger_bytes_max;) {
    const auto [error, bytes] = co_await stream_.async_read_some(asio::buffer(discarded), as_result);
    if (error) break;
    total += bytes;
  }
}

}  // namespace baton::admin
