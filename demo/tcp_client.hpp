// Talks with an echo over the proxy's raw TCP listener.
#pragma once

#include "clients/echo_talk.hpp"
#include "demo/socket_client.hpp"
#include "demo/ticker.hpp"

namespace baton::demo {

class TcpClient final : public SocketClient {
 public:
  TcpClient(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account);

 private:
  void on_open() override;
  void on_bytes(std::string_view bytes) override;
  void on_finish() override;
  void say_more();

  clients::EchoTalk talk_;
  Ticker ticker_;
};

}  // namespace baton::demo
