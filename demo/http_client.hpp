// A keep-alive HTTP/1.1 connection that sends requests and verifies each answer byte for byte. Derived kinds decide
// when to ask.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "demo/socket_client.hpp"

namespace baton::demo {

class HttpClient : public SocketClient {
 public:
  using SocketClient::SocketClient;

 protected:
  // Called after each verified answer, but not after `finish`.
  virtual void on_answer() = 0;

  using Answer = boost::beast::http::response<boost::beast::http::string_body>;

  // What the request of this number asks for.
  virtual std::string target_of(std::uint64_t serial) const;

  // What is wrong with the answer to `target`; empty: nothing.
  virtual std::string judge(const Answer& answer, const std::string& target);

  // Sends the next request whole, or its first half only. The connection must be waiting.
  void ask();
  void ask_half();

  // Sends the second half.
  void ask_rest();

  bool waiting() const { return !over() && phase_ == Phase::waiting; }
  bool half_asked() const { return !over() && phase_ == Phase::half_asked; }

 private:
  enum class Phase { waiting, half_asked, asked };

  void on_bytes(std::string_view bytes) final;
  void on_finish() final;
  bool under_way() const final { return phase_ != Phase::waiting; }
  std::string describe() const final;

  void prepare_request();
  void verify();

  Phase phase_ = Phase::waiting;
  std::uint64_t serial_ = 0;  // of the current request
  std::string target_;
  std::string request_;        // its unsent part
  Clock::time_point asked_{};  // when its last piece was sent

  boost::beast::flat_buffer received_;
  std::optional<boost::beast::http::response_parser<boost::beast::http::string_body>> answer_;
};

}  // namespace baton::demo
