#include "demo/http2_client.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "clients/dialogue.hpp"

namespace baton::demo {

namespace {

constexpr std::size_t piece_bytes = 4 * 1024;
constexpr Microseconds piece_interval{20'000};
constexpr std::size_t held_back_bytes_max = 256 * 1024;

std::string target_of(std::string_view prefix, unsigned number) {
  return fmt::format("{}{}", prefix, number);
}

}  // namespace

Http2Client::Http2Client(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account,
                         Microseconds pause)
    : SocketClient(context, server, number, account),
      pause_(pause),
      askers_{{{boost::asio::steady_timer(context), nullptr},
               {boost::asio::steady_timer(context), nullptr},
               {boost::asio::steady_timer(context), nullptr},
               {boost::asio::steady_timer(context), nullptr}}},
      ticker_(context) {}

void Http2Client::on_open() {
  const auto begin = [this](std::string_view prefix, auto& lasting, bool is_held) {
    const std::string target = target_of(prefix, number());
    lasting.judge = std::make_shared<std::decay_t<decltype(*lasting.judge)>>(target);
    lasting.stream = session_.begin({.target = target, .host = host(), .is_held = is_held}, lasting.judge);
  };
  begin(clients::download_prefix, download_, false);
  begin(clients::flood_prefix, stalled_, true);
  begin(clients::events_prefix, events_, false);
  begin_upload();
  for (Asker& asker : askers_) ask(asker);
  ticker_.start(piece_interval, [this] { send_piece(); });
  be_patient();
  flush();
}

void Http2Client::ask(Asker& asker) {
  const std::string target = clients::request_target(number(), ++serial_);
  asker.answer =
      std::make_shared<clients::Http2AnswerJudge>(target, [target] { return clients::expected_body(target); });
  asker.asked = Clock::now();
  session_.begin({.target = target, .host = host()}, asker.answer);
}

void Http2Client::begin_upload() {
  const std::string target = target_of(clients::upload_prefix, number());
  upload_.emplace(Upload{.content = clients::Content(target)});
  upload_->receipt = std::make_shared<clients::Http2AnswerJudge>(
      target, [this] { return clients::upload_receipt(upload_->sent_bytes, upload_->digest); });
  upload_->stream =
      session_.begin({.target = target, .host = host(), .method = "POST", .has_body = true}, upload_->receipt);
}

void Http2Client::send_piece() {
  if (over()) return ticker_.stop();
  // What is not taken is noticed at the end, if not before.
  if (session_.held_back(upload_->stream) + unsent() > held_back_bytes_max) return;
  const std::string content = upload_->content.at(upload_->sent_bytes, piece_bytes);
  upload_->digest.add(content);
  upload_->sent_bytes += content.size();
  account().add_bytes(content.size());
  session_.send(upload_->stream, content);
  flush();
}

void Http2Client::upgrade_passed() {
  if (over() || stalled_.judge == nullptr) return;
  session_.read_on(stalled_.stream);
  flush();
}

void Http2Client::on_bytes(std::string_view bytes) {
  const std::uint64_t downloaded = download_.judge->body_bytes() + stalled_.judge->body_bytes();
  const std::string wrong = session_.receive(bytes);
  if (!wrong.empty()) return fail(Trouble::wrong_answer, wrong);
  account().add_bytes(download_.judge->body_bytes() + stalled_.judge->body_bytes() - downloaded);
  if (upload_->receipt->has_head() && !finishing()) {
    return fail(Trouble::wrong_answer, "an answer before the end of the upload");
  }
  be_patient();
  take_answers();
  if (finishing()) return prove_if_done();
  flush();
}

void Http2Client::take_answers() {
  for (Asker& asker : askers_) {
    if (asker.answer == nullptr || !asker.answer->has_ended()) continue;
    asker.answer = nullptr;
    account().add_answered(std::chrono::duration_cast<Microseconds>(Clock::now() - asker.asked));
    if (finishing()) continue;
    asker.timer.expires_after(pause_);
    asker.timer.async_wait([this, &asker](const boost::system::error_code& error) {
      if (error || over() || finishing()) return;
      ask(asker);
      flush();
    });
  }
}

// The upload ends; each other stream has to receive something more.
void Http2Client::on_finish() {
  ticker_.stop();
  session_.send(upload_->stream, {}, true);
  session_.read_on(stalled_.stream);
  download_.proof = download_.judge->body_bytes();
  stalled_.proof = stalled_.judge->body_bytes();
  events_.proof = events_.judge->events();
  be_patient();
  flush();
}

void Http2Client::prove_if_done() {
  if (download_.judge->body_bytes() > download_.proof) session_.cancel(download_.stream);
  if (stalled_.judge->body_bytes() > stalled_.proof) session_.cancel(stalled_.stream);
  if (events_.judge->events() > events_.proof) session_.cancel(events_.stream);
  flush();
  if (session_.open_streams() == 0) prove();
}

void Http2Client::flush() {
  if (const std::string bytes = session_.take_unsent(); !bytes.empty()) send(bytes);
}

}  // namespace baton::demo
