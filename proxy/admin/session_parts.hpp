// What session.cpp and session_answers.cpp share.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <optional>
#include <string>
#include <string_view>

#include "proxy/admin/session.hpp"

namespace baton::admin {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

inline constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

inline void set_text(http::response<http::string_body>& response, http::status status, std::string_view text) {
  response.result(status);
  response.set(http::field::content_type, "text/plain");
  response.body() = text;
}

// What a session waits for. The timer is cancelled when it comes.
struct Session::PendingStatus {
  asio::steady_timer timer;
  std::optional<Status> status;
};

struct Session::PendingReply {
  asio::steady_timer timer;
  std::optional<Reply> reply;
};

struct Session::PendingLines {
  asio::steady_timer timer;
  std::string text;
  bool ended = false;
};

}  // namespace baton::admin
