// One HTTP/2 connection with many streams for the whole demo: small requests, a download, a stalled download, an upload
// and events. Over TLS both sides have to agree on h2; plain connections begin with HTTP/2's preface.
#pragma once

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>

#include "clients/http2_judges.hpp"
#include "demo/socket_client.hpp"
#include "demo/ticker.hpp"

namespace baton::demo {

class Http2Client final : public SocketClient {
 public:
  static constexpr unsigned asking_streams = 4;  // at a time

  // `pause`: from an answer to the next request that takes its place.
  Http2Client(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account,
              Microseconds pause);

  // Lets the stalled download go on by a window.
  void upgrade_passed() override;

 private:
  // One small request after another, each on a stream of its own.
  struct Asker {
    boost::asio::steady_timer timer;
    std::shared_ptr<clients::Http2ResponseJudge> answer;  // that is awaited
    Clock::time_point asked{};
  };
  struct Upload {
    std::int32_t stream = 0;
    clients::Content content;
    clients::Digest digest;
    std::uint64_t sent_bytes = 0;
    std::shared_ptr<clients::Http2ResponseJudge> receipt;
  };
  // A stream without an end of its own.
  template <class Judge>
  struct Lasting {
    std::int32_t stream = 0;
    std::shared_ptr<Judge> judge;
    std::uint64_t proof = 0;  // what it had received when the client was asked to finish
  };

  std::string_view protocol() const override { return "h2"; }
  void on_open() override;
  void on_bytes(std::string_view bytes) override;
  void on_finish() override;

  void ask(Asker& asker);
  void take_answers();
  void begin_upload();
  void send_piece();
  void prove_if_done();
  void flush();

  Microseconds pause_;
  clients::Http2Session session_;
  std::uint64_t serial_ = 0;
  std::array<Asker, asking_streams> askers_;
  std::optional<Upload> upload_;
  Lasting<clients::Http2DownloadJudge> download_;
  Lasting<clients::Http2DownloadJudge> stalled_;
  Lasting<clients::Http2EventsJudge> events_;
  Ticker ticker_;
};

}  // namespace baton::demo
