// The server of the page, behind the proxy: the page itself, a WebSocket that ticks, a download without an end, and the
// commands of its buttons. On a thread of its own.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "demo/page_rules.hpp"

namespace baton::demo {

// The page (page.html).
std::string_view page_html();

class PageServer {
 public:
  PageServer();
  ~PageServer();
  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;

  const boost::asio::ip::tcp::endpoint& endpoint() const { return endpoint_; }

  // What pages are to show from now on. At first before there is a way to the server.
  void publish(std::string state);

  // The last that they are to show. Then the WebSockets and downloads end.
  void end(std::string state);

  // WebSockets and downloads that are open.
  std::size_t streams() const { return streams_; }

  // The oldest command that was not taken yet: `Asked::upgrade` or `Asked::failing_upgrade`. At most one of each waits.
  std::optional<Asked> take_command();
  bool has_command() const;

  // What pages have lost since the last call, each in one line.
  std::vector<std::string> take_losses();

 private:
  class Stream;
  struct Request;

  boost::asio::awaitable<void> accept_all(boost::asio::ip::tcp::acceptor acceptor);
  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket);
  boost::asio::awaitable<void> send_download(boost::asio::ip::tcp::socket& socket);
  boost::asio::awaitable<void> tick(boost::asio::ip::tcp::socket& socket, const Request& request);
  std::string answer(Asked asked, const Request& request);
  std::string state() const;

  std::atomic<std::size_t> streams_ = 0;  // outlives the context, whose coroutines count in it
  boost::asio::io_context context_{1};
  boost::asio::ip::tcp::endpoint endpoint_;
  std::atomic<bool> ended_ = false;
  mutable std::mutex mutex_;  // guards what follows
  std::string state_ = "{}";
  std::deque<Asked> commands_;
  std::vector<std::string> losses_;
  std::thread thread_;
};

}  // namespace baton::demo
