#include <algorithm>
#include <array>
#include <charconv>

#include "proxy/http1/forward.hpp"
#include "proxy/http1/http_date.hpp"
#include "proxy/http1/text_writer.hpp"

namespace baton::http1 {

namespace {

// "404 Not Found" and a line feed.
class StatusLine {
 public:
  StatusLine(std::uint16_t status, std::string_view reason) {
    char* to = std::to_chars(text_.data(), text_.data() + 5, status).ptr;
    *to++ = ' ';
    to = std::copy(reason.begin(), reason.end(), to);
    *to++ = '\n';
    size_ = static_cast<std::size_t>(to - text_.data());
  }
  std::string_view text() const { return {text_.data(), size_}; }

 private:
  std::array<char, 64> text_;
  std::size_t size_;
};

}  // namespace

std::size_t write_own_response(const OwnResponse& response, state::Buffer& out, std::size_t body_bytes_max) {
  const std::string_view reason = reason_phrase(response.status);
  const StatusLine status_line(response.status, reason);
  std::string_view body = response.body.value_or(status_line.text());
  std::array<char, 20> digits;
  const char* const digits_end = std::to_chars(digits.data(), digits.data() + digits.size(), body.size()).ptr;
  const std::string_view length(digits.data(), static_cast<std::size_t>(digits_end - digits.data()));
  const bool has_content = !has_no_content(response.status);
  body = has_content && !response.head_only ? body.substr(0, body_bytes_max) : std::string_view();

  TextWriter writer(out, reason.size() + response.fields.size() + response.content_type.size() + body.size() +
                             response.more.name.size() + response.more.value.size());
  writer.status_line(response.status, reason);
  writer.field("Date", http_date(response.unix_time_s));
  writer.copy(response.fields);
  if (has_content && !response.content_type.empty()) writer.field("Content-Type", response.content_type);
  if (has_content) writer.field("Content-Length", length);
  if (response.status == 405 && !response.is_configured)
    writer.field("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE");
  if (response.close) writer.field("Connection", "close");
  if (response.announce_keep_alive) writer.field("Connection", "keep-alive");
  if (!response.more.name.empty()) writer.field(response.more.name, response.more.value);
  writer.literal("\r\n");
  writer.copy(body);
  writer.finish();
  return body.size();
}

std::string_view reason_phrase(std::uint16_t status) {
  switch (status) {
    case 102:
      return "Processing";
    case 103:
      return "Early Hints";
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 205:
      return "Reset Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

}  // namespace baton::http1
