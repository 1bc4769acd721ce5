#include "demo/grpc_client.hpp"

#include <fmt/format.h>

#include "clients/dialogue.hpp"

namespace baton::demo {

GrpcClient::GrpcClient(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account)
    : SocketClient(context, server, number, account),
      target_(fmt::format("{}{}", clients::grpc_prefix, number)),
      echo_(std::make_shared<clients::GrpcEchoJudge>(target_)),
      ticker_(context) {}

void GrpcClient::on_open() {
  stream_ = session_.begin(
      {.target = target_, .host = host(), .method = "POST", .has_body = true, .fields = clients::grpc_request_fields},
      echo_);
  say_more();
  ticker_.start(message_interval, [this] { say_more(); });
}

void GrpcClient::say_more() {
  if (over()) return ticker_.stop();
  if (echo_->all_returned()) be_patient();
  session_.send(stream_, echo_->say());
  flush();
}

void GrpcClient::on_bytes(std::string_view bytes) {
  const std::string wrong = session_.receive(bytes);
  if (!wrong.empty()) return fail(Trouble::wrong_answer, wrong);
  for (auto messages = echo_->collect(); messages > 0; --messages) account().add_answered();
  flush();
  if (echo_->has_ended() && !finishing()) return fail(Trouble::wrong_answer, "the end of the stream");
  if (echo_->has_ended()) return prove();
  be_patient();
  if (echo_->all_returned() && !finishing()) be_content();
}

// The last message comes back, and then the status.
void GrpcClient::on_finish() {
  say_more();
  ticker_.stop();
  session_.send(stream_, {}, true);
  be_patient();
  flush();
}

void GrpcClient::flush() {
  if (const std::string bytes = session_.take_unsent(); !bytes.empty()) send(bytes);
}

}  // namespace baton::demo
