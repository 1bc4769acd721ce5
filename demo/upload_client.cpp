#include "demo/upload_client.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "clients/chunks.hpp"
#include "clients/dialogue.hpp"

namespace baton::demo {

namespace {

constexpr std::uint64_t upload_bytes = 8u << 20;  // of an upload by length
constexpr std::size_t piece_bytes = 8 * 1024;
constexpr Microseconds piece_interval{20'000};
constexpr std::size_t unsent_bytes_max = 256 * 1024;

}  // namespace

UploadClient::UploadClient(boost::asio::io_context& context, const Entrance& server, unsigned number, Account& account)
    : StreamClient(context, server, number, account, fmt::format("{}{}", clients::upload_prefix, number)),
      content_(target()),
      ticker_(context) {}

StreamClient::Request UploadClient::request() const {
  if (chunked()) return {.method = "POST", .fields = "Transfer-Encoding: chunked\r\n"};
  return {.method = "POST", .fields = fmt::format("Content-Length: {}\r\n", upload_bytes)};
}

void UploadClient::on_asked() {
  be_content();  // no answer is expected yet
  ticker_.start(piece_interval, [this] { send_piece(); });
}

void UploadClient::send_piece() {
  if (over()) return ticker_.stop();
  if (unsent() > unsent_bytes_max) return;  // the data is not being taken; that is noticed at the end, if not before
  // An upload by length sends ever smaller parts of the rest, so that some is left however long the demo lasts.
  const std::uint64_t some =
      chunked() ? piece_bytes : std::min<std::uint64_t>(piece_bytes, (upload_bytes - sent_bytes_) / 512);
  send_content(some);
}

// After a while an upload by length may send nothing more by itself.
void UploadClient::show_life() {
  if (!chunked() && !complete_ && sent_bytes_ + 1 < upload_bytes) send_content(1);
}

void UploadClient::send_content(std::size_t bytes) {
  if (bytes == 0) return;
  const std::string content = content_.at(sent_bytes_, bytes);
  digest_.add(content);
  sent_bytes_ += bytes;
  account().add_bytes(bytes);
  send(chunked() ? clients::chunk(content) : content);
}

void UploadClient::on_finish() {
  ticker_.stop();
  complete_ = true;
  if (chunked()) {
    send(clients::last_chunk);
  } else {
    send_content(upload_bytes - sent_bytes_);
  }
  be_patient();
}

std::string UploadClient::judge(const Head& head) {
  if (const std::string wrong = judge_status(head.result_int(), 200); !wrong.empty()) return wrong;
  if (!complete_) return "an answer before the end of the upload";
  if (head["Content-Length"] != std::to_string(clients::upload_receipt(sent_bytes_, digest_).size()))
    return "another length";
  return {};
}

void UploadClient::on_body(std::string_view bytes) {
  const std::string expected = clients::upload_receipt(sent_bytes_, digest_);
  receipt_ += bytes;
  if (!expected.starts_with(receipt_)) return fail(Trouble::wrong_answer, "the origin received something else");
  if (receipt_.size() == expected.size()) prove();
}

}  // namespace baton::demo
