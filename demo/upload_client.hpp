// An upload that lasts as long as the demo, chunked or by length; the origin confirms it by a digest.
#pragma once

#include "clients/content.hpp"
#include "demo/stream_client.hpp"
#include "demo/ticker.hpp"

namespace baton::demo {

class UploadClient final : public StreamClient {
 public:
  // Every other client uploads in chunks.
  UploadClient(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account);

  void show_life() override;
  std::uint64_t moved_bytes() const override { return taken_bytes() + StreamClient::moved_bytes(); }

 private:
  Request request() const override;
  void on_asked() override;
  std::string judge(const Head& head) override;
  void on_body(std::string_view bytes) override;
  void on_finish() override;

  bool chunked() const { return number() % 2 == 0; }
  void send_piece();
  void send_content(std::size_t bytes);

  clients::Content content_;
  clients::Digest digest_;
  std::uint64_t sent_bytes_ = 0;
  bool complete_ = false;
  std::string receipt_;  // the part received so far
  Ticker ticker_;
};

}  // namespace baton::demo
