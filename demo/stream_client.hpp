// One HTTP request whose body, or whose response body, lasts as long as the demo. Derived kinds verify what follows the
// response head.
#pragma once

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <string>
#include <string_view>

#include "demo/socket_client.hpp"

namespace baton::demo {

class StreamClient : public SocketClient {
 public:
  // `target` names the stream; both sides compute the expected data from it.
  StreamClient(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account,
               std::string target);

 protected:
  struct Request {
    std::string_view method = "GET";
    std::string fields;  // additional ones, each with its CRLF
  };
  using Head = boost::beast::http::response_header<>;

  virtual Request request() const { return {}; }

  // The request head is being sent.
  virtual void on_asked() {}

  // Checks a response head that repeats the target; returns what else is wrong with it, or nothing.
  virtual std::string judge(const Head& head) = 0;

  // The head is correct.
  virtual void on_head() {}

  // The bytes after the head.
  virtual void on_body(std::string_view bytes) = 0;

  bool head_is_here() const { return head_is_here_; }
  const std::string& target() const { return target_; }

 private:
  void on_open() final;
  void on_bytes(std::string_view bytes) final;

  std::string target_;
  std::string unread_;
  boost::beast::http::response_parser<boost::beast::http::empty_body> head_;
  bool head_is_here_ = false;
};

// "status 404" unless it is `wanted`.
std::string judge_status(unsigned status, unsigned wanted);

}  // namespace baton::demo
