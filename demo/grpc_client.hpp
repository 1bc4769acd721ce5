// A gRPC stream to an echo, over HTTP/2, for the whole demo. The proxy speaks HTTP/2 to its server, too.
#pragma once

#include <memory>

#include "clients/grpc.hpp"
#include "demo/socket_client.hpp"
#include "demo/ticker.hpp"

namespace baton::demo {

class GrpcClient final : public SocketClient {
 public:
  GrpcClient(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account);

 private:
  std::string_view protocol() const override { return "h2"; }
  void on_open() override;
  void on_bytes(std::string_view bytes) override;
  void on_finish() override;

  void say_more();
  void flush();

  std::string target_;
  clients::Http2Session session_{1024 * 1024};
  std::shared_ptr<clients::GrpcEchoJudge> echo_;
  std::int32_t stream_ = 0;
  Ticker ticker_;
};

}  // namespace baton::demo
