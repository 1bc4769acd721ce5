#include "demo/http_client.hpp"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <cassert>
#include <utility>

#include "demo/dialogue.hpp"

namespace baton::demo {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {
constexpr std::size_t read_bytes = 8 * 1024;
}

HttpClient::HttpClient(asio::io_context& context, asio::ip::tcp::endpoint server, unsigned number, Tally& tally)
    : socket_(context), server_(std::move(server)), number_(number), tally_(tally) {}

void HttpClient::start() {
  since_ = Clock::now();
  socket_.async_connect(server_, [this](const error_code& error) {
    if (over()) return;
    if (error) return fail(Trouble::not_connected, error.message());
    socket_.set_option(asio::ip::tcp::no_delay(true));
    tally_.add_opened();
    phase_ = Phase::waiting;
    receive_more();
    if (finishing_) {
      ask();
    } else {
      on_open();
    }
  });
}

void HttpClient::check(Clock::time_point now) {
  if (now - since_ < patience) return;
  if (phase_ == Phase::connecting) fail(Trouble::not_connected, "not connected in time");
  if (phase_ == Phase::asked) fail(Trouble::no_answer, "no answer in time");
}

void HttpClient::finish() {
  finishing_ = true;
  if (phase_ == Phase::waiting) ask();
  if (phase_ == Phase::half_asked) ask_rest();
}

void HttpClient::ask() {
  assert(phase_ == Phase::waiting);
  prepare_request();
  phase_ = Phase::asked;
  since_ = Clock::now();
  send_until(request_.size());
}

void HttpClient::ask_half() {
  assert(phase_ == Phase::waiting);
  prepare_request();
  phase_ = Phase::half_asked;
  // Every client and request cuts elsewhere: in the method, the target, a field, between CR and LF.
  send_until(1 + (number_ * 7 + serial_ * 13) % (request_.size() - 1));
}

void HttpClient::ask_rest() {
  assert(phase_ == Phase::half_asked);
  phase_ = Phase::asked;
  since_ = Clock::now();
  send_until(request_.size());
}

void HttpClient::prepare_request() {
  target_ = request_target(number_, ++serial_);
  request_ = fmt::format("GET {} HTTP/1.1\r\nHost: {}:{}\r\nUser-Agent: baton-demo\r\nAccept: */*\r\n\r\n", target_,
                         server_.address().to_string(), server_.port());
  sent_ = 0;
  answer_.emplace();
  answer_->eager(true);
}

void HttpClient::send_until(std::size_t end) {
  send_end_ = end;
  if (!sending_) send_more();
}

void HttpClient::send_more() {
  sending_ = sent_ < send_end_;
  if (!sending_) return;
  socket_.async_write_some(asio::buffer(request_.data() + sent_, send_end_ - sent_),
                           [this](const error_code& error, std::size_t bytes) {
                             if (over()) return;
                             sent_ += bytes;
                             if (error) return fail(Trouble::closed_in_request, error.message());
                             send_more();
                           });
}

void HttpClient::receive_more() {
  socket_.async_read_some(received_.prepare(read_bytes), [this](const error_code& error, std::size_t bytes) {
    if (over()) return;
    take(bytes);
    if (over()) return;
    if (error) {
      return fail(waiting() ? Trouble::closed_between : Trouble::closed_in_request,
                  error == asio::error::eof ? "closed by the server" : error.message());
    }
    receive_more();
  });
}

void HttpClient::take(std::size_t bytes) {
  received_.commit(bytes);
  if (received_.size() == 0) return;
  if (phase_ != Phase::asked) return fail(Trouble::wrong_answer, "bytes that nobody asked for");

  error_code error;
  received_.consume(answer_->put(received_.data(), error));
  if (error && error != http::error::need_more) return fail(Trouble::wrong_answer, error.message());
  if (!answer_->is_done()) return;
  if (received_.size() != 0) return fail(Trouble::wrong_answer, "bytes after the end of the answer");
  verify();
}

void HttpClient::verify() {
  const auto& answer = answer_->get();
  if (answer.result_int() != 200) return fail(Trouble::wrong_answer, fmt::format("status {}", answer.result_int()));
  if (answer[std::string(echo_field)] != target_) return fail(Trouble::wrong_answer, "the answer to another request");
  if (answer.body() != expected_body(target_)) return fail(Trouble::wrong_answer, "a body with other bytes");

  const auto latency = std::chrono::duration_cast<Microseconds>(Clock::now() - since_);
  const bool keep_alive = answer.keep_alive();
  phase_ = Phase::waiting;
  tally_.add_answered(latency);
  if (finishing_) {
    tally_.add_proven();
    end();
  } else if (!keep_alive) {
    fail(Trouble::closed_between, "told that the connection will be closed");
  } else {
    on_answer();
  }
}

void HttpClient::fail(Trouble kind, std::string_view what) {
  tally_.add_trouble(kind, fmt::format("client {}, request {}: {}", number_, serial_, what));
  end();
}

void HttpClient::end() {
  phase_ = Phase::over;
  error_code ignored;  // the socket is open and ours; nothing can be done about an error of close
  socket_.close(ignored);
}

}  // namespace baton::demo
