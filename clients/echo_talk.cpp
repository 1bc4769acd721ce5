#include "clients/echo_talk.hpp"

namespace baton::clients {
namespace {
constexpr std::size_t outstanding_bytes_max = 256 * 1024;
constexpr std::size_t long_message_bytes = 70'000;  // its WebSocket frame needs the longest form of a length
}  // namespace

std::string EchoTalk::next() {
  if (outstanding_.size() > outstanding_bytes_max) return {};
  ++serial_;
  const std::size_t bytes = serial_ % 50 == 0 ? long_message_bytes : 1 + serial_ * 37 % 400;
  std::string message = content_.at(offset_, bytes);
  offset_ += bytes;
  return message;
}

void EchoTalk::expect(std::string_view echo) {
  outstanding_ += echo;
  expected_bytes_ += echo.size();
  ends_.push_back(expected_bytes_);
}

bool EchoTalk::take(std::string_view bytes) {
  if (!outstanding_.starts_with(bytes)) return false;
  outstanding_.erase(0, bytes.size());
  taken_bytes_ += bytes.size();
  for (; !ends_.empty() && ends_.front() <= taken_bytes_; ends_.pop_front()) ++returned_;
  return true;
}

}  // namespace baton::clients
