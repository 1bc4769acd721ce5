// A keep-alive HTTP/1.1 connection that sends requests and verifies each answer byte for byte. A read is always
// pending, so a close or a byte that nobody asked for is noticed when it comes. The kinds that derive from it decide
// when to ask.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "demo/client.hpp"
#include "demo/tally.hpp"

namespace baton::demo {

class HttpClient : public Client {
 public:
  // `number` names the client in its requests. `context` and `tally` must outlive it.
  HttpClient(boost::asio::io_context& context, boost::asio::ip::tcp::endpoint server, unsigned number, Tally& tally);

  void start() final;
  void check(Clock::time_point now) final;
  void finish() final;
  bool over() const final { return phase_ == Phase::over; }

  // How long an answer, or the connection's opening, may take.
  static constexpr std::chrono::seconds patience{5};

 protected:
  // What a kind does once connected, and after each verified answer; not called any more after `finish`.
  virtual void on_open() = 0;
  virtual void on_answer() = 0;

  // Sends the next request whole, or its first half only. The connection must be waiting.
  void ask();
  void ask_half();

  // Sends the second half.
  void ask_rest();

  bool waiting() const { return phase_ == Phase::waiting; }
  bool half_asked() const { return phase_ == Phase::half_asked; }
  unsigned number() const { return number_; }

 private:
  enum class Phase { connecting, waiting, half_asked, asked, over };

  void prepare_request();
  void send_until(std::size_t end);
  void send_more();
  void receive_more();
  void take(std::size_t bytes);
  void verify();
  void fail(Trouble kind, std::string_view what);
  void end();

  boost::asio::ip::tcp::socket socket_;
  boost::asio::ip::tcp::endpoint server_;
  unsigned number_;
  Tally& tally_;  // outlives the client
  Phase phase_ = Phase::connecting;
  bool finishing_ = false;

  std::uint64_t serial_ = 0;  // of the request that is being asked
  std::string target_;
  std::string request_;
  std::size_t sent_ = 0;      // bytes of request_ that are written
  std::size_t send_end_ = 0;  // bytes of request_ that may be written by now
  bool sending_ = false;
  Clock::time_point since_{};  // of the connect, or of the last piece of the request

  boost::beast::flat_buffer received_;
  std::optional<boost::beast::http::response_parser<boost::beast::http::string_body>> answer_;
};

}  // namespace baton::demo
