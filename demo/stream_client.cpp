#include "demo/stream_client.hpp"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <utility>

#include "clients/dialogue.hpp"

namespace baton::demo {

namespace asio = boost::asio;
namespace http = boost::beast::http;

StreamClient::StreamClient(asio::io_context& context, const Entrance& server, unsigned number, Account& account,
                           std::string target)
    : SocketClient(context, server, number, account), target_(std::move(target)) {
  head_.skip(true);  // we read the body ourselves
}

void StreamClient::on_open() {
  const Request wanted = request();
  send(clients::request_head(target_, host(), wanted.method, wanted.fields));
  be_patient();
  on_asked();
}

void StreamClient::on_bytes(std::string_view bytes) {
  if (head_is_here_) return on_body(bytes);
  unread_ += bytes;
  boost::system::error_code error;
  unread_.erase(0, head_.put(asio::buffer(unread_), error));
  if (error && error != http::error::need_more) return fail(Trouble::wrong_answer, error.message());
  if (!head_.is_header_done()) return;

  head_is_here_ = true;
  const Head& head = head_.get();
  if (const std::string wrong = judge(head); !wrong.empty()) return fail(Trouble::wrong_answer, wrong);
  if (head[std::string(clients::echo_field)] != target_)
    return fail(Trouble::wrong_answer, "the answer to another request");
  be_patient();
  on_head();
  if (!unread_.empty()) on_body(std::exchange(unread_, {}));
}

std::string judge_status(unsigned status, unsigned wanted) {
  return status == wanted ? std::string() : fmt::format("status {}", status);
}

}  // namespace baton::demo
