// Reads numbered server-sent events from an endless chunked response, so that a missing or repeated one is detected.
#pragma once

#include "clients/events.hpp"
#include "demo/stream_client.hpp"

namespace baton::demo {

class EventsClient final : public StreamClient {
 public:
  EventsClient(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account);

 private:
  std::string judge(const Head& head) override;
  void on_body(std::string_view bytes) override;
  void on_finish() override {}  // the next event is the last

  clients::EventJudge judge_;
};

}  // namespace baton::demo
