#include "proxy/admin/session.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>

#include <array>
#include <string_view>
#include <utility>

namespace baton::admin {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t first_read_bytes = 2048;
constexpr std::size_t linger_bytes_max = 256 * 1024;

// How to refuse what was received; nothing if there is nobody to tell.
std::optional<http::status> refusal_of(const beast::error_code& error) {
  if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return http::status::request_header_fields_too_large;
  }
  if (error == http::error::body_limit) return http::status::payload_too_large;
  if (error.category() == make_error_code(http::error::end_of_stream).category()) return http::status::bad_request;
  return std::nullopt;
}

void set_text(http::response<http::string_body>& response, http::status status, std::string_view text) {
  response.result(status);
  response.set(http::field::content_type, "text/plain");
  response.body() = text;
}

}  // namespace

struct Session::PendingStatus {
  asio::steady_timer timer;
  std::optional<Status> status;
};

Session::Session(Socket socket, std::shared_ptr<const Service> service)
    : stream_(std::move(socket)),
      received_(service->limits.head_bytes + service->limits.body_bytes),
      service_(std::move(service)) {}

asio::awaitable<void> Session::serve(std::shared_ptr<Session> session) {
  // On g++ 12 a co_await on the right of && is awaited whatever stands on the left.
  while (co_await session->receive_first_byte()) {
    Parser parser;
    if (const beast::error_code error = co_await session->receive(parser)) {
      if (const auto status = refusal_of(error)) co_await session->refuse(*status);
      break;
    }
    const Request request = parser.release();
    Response response = co_await session->answer(request);
    response.version(request.version());
    response.keep_alive(request.keep_alive() && !session->service_->pausing);
    const bool goes_on = co_await session->send(response, request.method() == http::verb::head);
    if (!goes_on) break;
  }
  session->close();
}

void Session::close() {
  stream_.close();
  if (pending_status_) pending_status_->timer.cancel();
}

// A pipelined request may have come with the one before.
asio::awaitable<bool> Session::receive_first_byte() {
  if (received_.size() > 0) co_return true;
  idle_since_ = Clock::now();
  stream_.expires_after(service_->limits.idle);
  const auto [error, bytes] = co_await stream_.async_read_some(received_.prepare(first_read_bytes), as_result);
  received_.commit(bytes);
  idle_since_.reset();
  co_return bytes > 0;
}

asio::awaitable<beast::error_code> Session::receive(Parser& parser) {
  parser.header_limit(service_->limits.head_bytes);
  parser.body_limit(service_->limits.body_bytes);
  stream_.expires_after(service_->limits.exchange);
  const auto [error, bytes] = co_await http::async_read(stream_, received_, parser, as_result);
  co_return error;
}

asio::awaitable<Session::Response> Session::answer(const Request& request) {
  const std::string_view target(request.target().data(), request.target().size());
  const std::string_view path = target.substr(0, target.find('?'));
  Response response;
  response.set(http::field::cache_control, "no-store");
  if (path != "/healthz" && path != "/readyz" && path != "/status") {
    set_text(response, http::status::not_found, "not found");
  } else if (request.method() != http::verb::get && request.method() != http::verb::head) {
    set_text(response, http::status::method_not_allowed, "method not allowed");
    response.set(http::field::allow, "GET, HEAD");
  } else if (path == "/status") {
    co_await answer_with_status(response);
  } else if (path == "/healthz") {
    set_text(response, http::status::ok, "ok");
  } else if (service_->source.ready()) {
    set_text(response, http::status::ok, "ready");
  } else {
    set_text(response, http::status::service_unavailable, "draining");
  }
  co_return response;
}

asio::awaitable<void> Session::answer_with_status(Response& response) {
  pending_status_ = std::make_shared<PendingStatus>(asio::steady_timer(stream_.get_executor()));
  pending_status_->timer.expires_after(service_->limits.exchange);
  // The answer may come at once, after our patience has ended, or after this session has.
  service_->source.status([weak = std::weak_ptr(pending_status_)](const Status& status) {
    const auto pending = weak.lock();
    if (!pending) return;
    pending->status = status;
    pending->timer.cancel();
  });
  if (!pending_status_->status) co_await pending_status_->timer.async_wait(as_result);
  const auto pending = std::exchange(pending_status_, nullptr);
  if (!pending->status) {
    set_text(response, http::status::service_unavailable, "no status in time");
  } else {
    response.set(http::field::content_type, "application/json");
    response.body() = to_json(*pending->status);
  }
}

// True: the connection may serve another request.
asio::awaitable<bool> Session::send(Response& response, bool head_only) {
  response.prepare_payload();
  const bool keep_alive = response.keep_alive();
  http::response_serializer<http::string_body> serializer(response);
  beast::error_code failure;
  stream_.expires_after(service_->limits.exchange);
  if (head_only) {
    const auto [error, bytes] = co_await http::async_write_header(stream_, serializer, as_result);
    failure = error;
  } else {
    const auto [error, bytes] = co_await http::async_write(stream_, serializer, as_result);
    failure = error;
  }
  co_return !failure && keep_alive;
}

asio::awaitable<void> Session::refuse(http::status status) {
  Response response;
  const auto reason = http::obsolete_reason(status);
  set_text(response, status, std::string_view(reason.data(), reason.size()));
  response.version(11);
  response.keep_alive(false);
  co_await send(response, false);
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
