// A download by length that outlasts any demo, read as fast as it arrives or so slowly that the proxy always holds
// unread bytes.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include "clients/content.hpp"
#include "demo/stream_client.hpp"

namespace baton::demo {

class DownloadClient : public StreamClient {
 public:
  DownloadClient(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account);

 protected:
  // `last_bytes`: verified after `finish` to prove that bytes from the origin still arrive.
  DownloadClient(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account,
                 std::string target, std::uint64_t last_bytes);

 private:
  std::string judge(const Head& head) final;
  void on_body(std::string_view bytes) final;
  void on_finish() final { enough_ = received_bytes_ + last_bytes_; }

  clients::Content content_;
  std::uint64_t last_bytes_;
  std::uint64_t received_bytes_ = 0;
  std::uint64_t enough_ = 0;
};

class SlowReader final : public DownloadClient {
 public:
  SlowReader(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account);

 private:
  void read_on() override;
  std::optional<int> receive_buffer_bytes() const override { return 64 * 1024; }

  boost::asio::steady_timer timer_;
};

}  // namespace baton::demo
