// Talks with an echo over a WebSocket: an upgraded HTTP/1.1 connection, masked frames one way, plain ones the other.
#pragma once

#include "clients/echo_talk.hpp"
#include "clients/frames.hpp"
#include "demo/stream_client.hpp"
#include "demo/ticker.hpp"

namespace baton::demo {

class WebSocketClient final : public StreamClient {
 public:
  WebSocketClient(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account);

 private:
  Request request() const override;
  std::string judge(const Head& head) override;
  void on_head() override;
  void on_body(std::string_view bytes) override;
  void on_finish() override;

  void say_more();
  void send_frame(clients::Opcode opcode, std::string_view payload);
  void say_goodbye();

  clients::EchoTalk talk_;
  Ticker ticker_;
  std::uint32_t mask_;
};

}  // namespace baton::demo
