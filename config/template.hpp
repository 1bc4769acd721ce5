// Text with placeholders, such as `https://{host}{uri}`.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace baton::config {

enum class Placeholder : std::uint8_t {
  none,
  client,  // the client's address, without a port
  scheme,  // http or https
  host,    // that the request names, without its port
  port,    // that the request names, or its scheme's
  method,
  uri,  // path and query
  path,
  query,  // without the question mark
  request_id,
  listener,
  route,
  upstream,
  server,  // its address
  tls_version,
  tls_subject,  // of the client's verified certificate
  header,       // a field of the request
  // Known only when the exchange has ended, so for the access log alone.
  time,        // of the end, ISO 8601
  time_local,  // the same as nginx writes it
  request,     // the request line
  status,
  bytes_in,   // of content, from the client
  bytes_out,  // to the client
  duration_ms,
  queue_ms,       // waiting for a server
  connect_ms,     // until a connection to one stood
  first_byte_ms,  // until the head of its response came
  retries,
  generation,
  protocol,  // HTTP/1.1, HTTP/2.0 or TCP
  user,      // whose password was verified
  ended,     // why: state/ending.hpp
};

// What a text with placeholders is for.
enum class TextFor { message, access_log };

class Template {
 public:
  // Literal text, and then a placeholder unless it is `none`.
  struct Part {
    std::string text;
    Placeholder placeholder = Placeholder::none;
    std::string field;  // the name of a `header`, in lowercase
    bool operator==(const Part&) const = default;
  };

  Template() = default;  // empty

  // `{name}` is a placeholder, `{{` is a brace.
  static std::expected<Template, std::string> parse(std::string_view text, TextFor use = TextFor::message);
  // As the operator writes it.
  static std::string name_of(const Part& part);

  const std::vector<Part>& parts() const { return parts_; }
  bool empty() const { return parts_.empty(); }
  bool has(Placeholder placeholder) const;
  // Whether it contains no placeholder, and the text it then is.
  bool is_literal() const;
  std::string_view literal() const { return parts_.empty() ? std::string_view() : parts_.front().text; }
  // As the operator writes it.
  std::string text() const;

  bool operator==(const Template&) const = default;

 private:
  std::vector<Part> parts_;
};

}  // namespace baton::config
