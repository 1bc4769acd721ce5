#include "clients/http2_judges.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "clients/dialogue.hpp"

namespace baton::clients {

namespace {

bool is_echo_field(std::string_view name) {
  return std::ranges::equal(name, echo_field, [](char one, char other) {
    return one == (other >= 'A' && other <= 'Z' ? other + 32 : other);
  });
}

}  // namespace

std::string Http2ResponseJudge::on_head(unsigned status, const Http2Fields& fields) {
  if (has_head_) return "a second head";
  has_head_ = true;
  if (status != 200) return fmt::format("status {}", status);
  for (const auto& [name, value] : fields) {
    if (is_echo_field(name) && value != target_) return "the answer to another request";
  }
  return head(fields);
}

std::string Http2ResponseJudge::on_trailers(const Http2Fields& fields) {
  return !has_head_ || has_ended_ ? "trailers in the wrong place" : trailers(fields);
}

std::string Http2ResponseJudge::on_body(std::string_view bytes) {
  if (!has_head_ || has_ended_) return "a body in the wrong place";
  if (std::string wrong = take(bytes); !wrong.empty()) return wrong;
  body_bytes_ += bytes.size();
  return {};
}

std::string Http2ResponseJudge::on_end() {
  if (!has_head_ || has_ended_) return "an end in the wrong place";
  has_ended_ = true;
  return end();
}

std::string Http2AnswerJudge::take(std::string_view bytes) {
  body_ += bytes;
  return {};
}

std::string Http2AnswerJudge::end() {
  return body_ == expected_() ? "" : "a body with other bytes";
}

std::string Http2DownloadJudge::take(std::string_view bytes) {
  return content_.matches(body_bytes(), bytes) ? "" : fmt::format("wrong bytes after the first {}", body_bytes());
}

}  // namespace baton::clients
