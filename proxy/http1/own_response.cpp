#include <array>

#include "proxy/http1/forward.hpp"
#include "proxy/http1/http_date.hpp"
#include "proxy/http1/text_writer.hpp"

namespace baton::http1 {

std::size_t write_own_response(const OwnResponse& response, state::Buffer& out) {
  const std::string_view reason = reason_phrase(response.status);
  const std::size_t body_bytes = 3 + 1 + reason.size() + 1;  // under 100, so its length has two digits
  const std::array<char, 2> length{static_cast<char>('0' + body_bytes / 10), static_cast<char>('0' + body_bytes % 10)};

  TextWriter writer(out, 2 * reason.size());
  writer.status_line(response.status, reason);
  writer.field("Date", http_date(response.unix_time_s));
  writer.field("Content-Type", "text/plain");
  writer.field("Content-Length", std::string_view{length.data(), length.size()}.substr(body_bytes < 10 ? 1 : 0));
  if (response.status == 405) writer.field("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE");
  if (response.close) writer.field("Connection", "close");
  writer.literal("\r\n");
  if (!response.head_only) {
    writer.status(response.status);
    writer.literal(" ");
    writer.copy(reason);
    writer.literal("\n");
  }
  writer.finish();
  return response.head_only ? 0 : body_bytes;
}

std::string_view reason_phrase(std::uint16_t status) {
  switch (status) {
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
