#include "demo/http_client.hpp"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <cassert>
#include <utility>

#include "clients/dialogue.hpp"

namespace baton::demo {

namespace asio = boost::asio;
namespace http = boost::beast::http;

void HttpClient::on_finish() {
  if (waiting()) ask();
  if (half_asked()) ask_rest();
}

void HttpClient::ask() {
  assert(phase_ == Phase::waiting);
  prepare_request();
  ask_rest();
}

void HttpClient::ask_half() {
  assert(phase_ == Phase::waiting);
  prepare_request();
  phase_ = Phase::half_asked;
  // Every client and request cuts at another place: in the method, the target, a field, between CR and LF.
  const std::size_t cut = 1 + (number() * 7 + serial_ * 13) % (request_.size() - 1);
  send(std::string_view(request_).substr(0, cut));
  request_.erase(0, cut);
}

void HttpClient::ask_rest() {
  phase_ = Phase::asked;
  asked_ = Clock::now();
  be_patient();
  send(std::exchange(request_, {}));
}

void HttpClient::prepare_request() {
  target_ = target_of(++serial_);
  request_ = clients::request_head(target_, host());
  answer_.emplace();
  answer_->eager(true);
}

void HttpClient::on_bytes(std::string_view bytes) {
  if (phase_ != Phase::asked) return fail(Trouble::wrong_answer, "bytes that nobody asked for");
  received_.commit(asio::buffer_copy(received_.prepare(bytes.size()), asio::buffer(bytes)));

  boost::system::error_code error;
  received_.consume(answer_->put(received_.data(), error));
  if (error && error != http::error::need_more) return fail(Trouble::wrong_answer, error.message());
  if (!answer_->is_done()) return;
  if (received_.size() != 0) return fail(Trouble::wrong_answer, "bytes after the end of the answer");
  verify();
}

std::string HttpClient::target_of(std::uint64_t serial) const {
  return clients::request_target(number(), serial);
}

std::string HttpClient::judge(const Answer& answer, const std::string& target) {
  if (answer.result_int() != 200) return fmt::format("status {}", answer.result_int());
  if (answer[std::string(clients::echo_field)] != target) return "the answer to another request";
  return answer.body() == clients::expected_body(target) ? "" : "a body with other bytes";
}

void HttpClient::verify() {
  const Answer& answer = answer_->get();
  if (const std::string wrong = judge(answer, target_); !wrong.empty()) return fail(Trouble::wrong_answer, wrong);

  phase_ = Phase::waiting;
  be_content();
  account().add_answered(std::chrono::duration_cast<Microseconds>(Clock::now() - asked_));
  if (finishing()) {
    prove();
  } else if (!answer.keep_alive()) {
    fail(Trouble::closed_between, "told that the connection will be closed");
  } else {
    on_answer();
  }
}

std::string HttpClient::describe() const {
  return fmt::format("client {}, request {}", number(), serial_);
}

}  // namespace baton::demo
