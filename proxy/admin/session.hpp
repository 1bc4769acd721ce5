// One connection to the admin interface.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/admin/admin.hpp"
#include "proxy/admin/resources.hpp"
#include "proxy/metrics/exposition.hpp"

namespace baton::admin {

// What all sessions share.
struct Service {
  Source source;
  Limits limits;
  bool pausing = false;  // each answer is the last on its connection
};

class Session {
 public:
  using Clock = std::chrono::steady_clock;
  using Socket = boost::asio::generic::stream_protocol::socket;

  Session(Socket socket, std::shared_ptr<Service> service, bool is_unix);

  // Answers one request after another. Ends when the connection ends or is closed by `close`.
  static boost::asio::awaitable<void> serve(std::shared_ptr<Session> session);
  void close();

  // Since when we have been waiting for the client: no whole request is here, whatever has arrived, or the client has
  // left its answer unread longer than needed. Empty while it waits for us.
  std::optional<Clock::time_point> waits_since() const;
  bool is_unix() const { return is_unix_; }
  // A request is here whose answer has not been written completely. An incomplete request counts for as long as it is
  // expected (Limits), from when the client connected or from its first byte.
  bool owes_answer() const;

 private:
  using Request = boost::beast::http::request<boost::beast::http::string_body>;
  using Response = boost::beast::http::response<boost::beast::http::string_body>;
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  // A status on its way. The timer ends the wait: it expires, or the answer or close() cancels it.
  struct PendingStatus;
  // The same for a command's reply, which may take long.
  struct PendingReply;
  // The lines of an upgrade that have not been written yet. The timer ends the wait for more in the same way.
  struct PendingLines;

  // Whether a command of this client is taken.
  bool may_command(const Request& request) const;
  void refuse_command(Response& response, std::string_view why) const;
  boost::asio::awaitable<bool> receive_first_byte();
  boost::asio::awaitable<boost::beast::error_code> receive(Parser& parser);
  boost::asio::awaitable<Response> answer(Request& request);
  boost::asio::awaitable<void> answer_with_status(Response& response, std::string (*write)(const Status&),
                                                  std::string_view content_type);
  boost::asio::awaitable<void> answer_command(Response& response, const Request& request, const Resource& resource);
  boost::asio::awaitable<void> answer_with_page(Response& response);
  boost::asio::awaitable<void> answer_with_metrics(Response& response, metrics::Format format);
  boost::asio::awaitable<void> answer_reading(Response& response, const Request& request, Resource::What what);
  void answer_events(Response& response, bool is_head);
  boost::asio::awaitable<void> answer_configuration(Response& response, Request& request, std::string_view query);
  // Calls `ask` with what takes the reply, and waits for that. `ask` outlives the wait; it must be no temporary, which
  // g++ 12 destroys twice in a co_await.
  boost::asio::awaitable<void> answer_with_reply(Response& response, const std::function<void(ReplySink)>& ask);
  void answer_upgrade(Response& response, const Request& request);
  void begin_upgrade(Response& response, const Request& request, const UpgradeCommand& command);
  boost::asio::awaitable<bool> send(Response& response, bool head_only);
  boost::asio::awaitable<void> send_lines(Response& head);
  // Sends the head, and gives the connection to the events.
  boost::asio::awaitable<void> become_stream(Response& head);
  boost::asio::awaitable<void> refuse(boost::beast::http::status status);
  boost::asio::awaitable<void> linger();

  boost::beast::basic_stream<boost::asio::generic::stream_protocol> stream_;
  boost::beast::flat_buffer received_;
  std::shared_ptr<Service> service_;
  const bool is_unix_;
  Clock::time_point waits_since_ = Clock::now();
  bool answering_ = false;
  bool becomes_stream_ = false;
  std::optional<Clock::time_point> writing_since_;
  std::optional<Clock::time_point> expected_since_ = Clock::now();  // of a request that is not here or not complete
  std::shared_ptr<PendingStatus> pending_status_;
  std::shared_ptr<PendingReply> pending_reply_;
  std::shared_ptr<PendingLines> pending_lines_;
};

}  // namespace baton::admin
