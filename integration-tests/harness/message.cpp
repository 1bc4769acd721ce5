#include "harness/message.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace baton::harness {

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<std::string> only(const Fields& fields, std::string_view name) {
  std::optional<std::string> found;
  for (const auto& [key, value] : fields) {
    if (!same_name(key, name)) continue;
    if (found) throw Failure("two fields called " + std::string(name));
    found = value;
  }
  return found;
}

std::uint64_t number(std::string_view text, int base) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size())
    throw Failure("not a number: \"" + std::string(text) + "\"");
  return value;
}

std::string line_of(Stream& stream) {
  std::string line = stream.read_through("\r\n");
  line.resize(line.size() - 2);
  if (line.find_first_of(std::string("\r\n\0", 3)) != std::string::npos) throw Failure("control character in: " + line);
  return line;
}

std::pair<std::string, std::string> field_of(const std::string& line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string::npos || colon == 0 || line.find_first_of(" \t") < colon)
    throw Failure("not a field line: \"" + line + "\"");
  const std::size_t first = line.find_first_not_of(" \t", colon + 1);
  const std::size_t last = line.find_last_not_of(" \t");
  return {line.substr(0, colon), first == std::string::npos ? "" : line.substr(first, last - first + 1)};
}

Fields fields_of(Stream& stream, std::string& raw) {
  Fields fields;
  while (true) {
    std::string line = line_of(stream);
    raw += line + "\r\n";
    if (line.empty()) return fields;
    fields.push_back(field_of(line));
  }
}

void read_chunks(Stream& stream, Message& message) {
  message.chunked = true;
  while (true) {
    const std::string size_line = line_of(stream);
    const auto size = number(size_line.substr(0, size_line.find(';')), 16);
    if (size == 0) break;
    message.body += stream.read_exactly(size);
    if (stream.read_exactly(2) != "\r\n") throw Failure("a chunk does not end with CRLF");
  }
  std::string raw;
  message.trailers = fields_of(stream, raw);
}

// True: the message delimits its own body, and the body has been read.
bool read_framed_body(Stream& stream, Message& message) {
  const auto coding = message.field("Transfer-Encoding");
  const auto length = message.field("Content-Length");
  if (coding && length) throw Failure("both Transfer-Encoding and Content-Length");
  if (coding && *coding != "chunked") throw Failure("Transfer-Encoding: " + *coding);
  if (coding) read_chunks(stream, message);
  if (length) message.body = stream.read_exactly(number(*length, 10));
  return coding || length;
}

std::string word(const std::string& line, int index) {
  std::size_t begin = 0;
  for (; index > 0; --index) begin = line.find(' ', begin) + 1;
  return line.substr(begin, line.find(' ', begin) - begin);
}

}  // namespace

std::optional<std::string> Message::field(std::string_view name) const {
  return only(fields, name);
}
std::optional<std::string> Message::trailer(std::string_view name) const {
  return only(trailers, name);
}

std::string Request::method() const {
  return word(start_line, 0);
}
std::string Request::target() const {
  return word(start_line, 1);
}
std::string Request::version() const {
  return word(start_line, 2);
}
int Response::status() const {
  return static_cast<int>(number(word(start_line, 1), 10));
}

Message read_head(Stream& stream) {
  Message message;
  message.start_line = line_of(stream);
  message.raw_head = message.start_line + "\r\n";
  message.fields = fields_of(stream, message.raw_head);
  return message;
}

void read_request_body(Stream& stream, Request& request) {
  read_framed_body(stream, request);
}

void read_response_body(Stream& stream, Response& response) {
  if (!read_framed_body(stream, response)) response.body = stream.read_to_fin();
}

Response read_response(Stream& stream, BodyIs body) {
  std::vector<Response> interim;
  while (true) {
    Response response{read_head(stream), {}};
    if (!response.start_line.starts_with("HTTP/1.1 ")) throw Failure("not a status line: " + response.start_line);
    const int status = response.status();
    if (status < 200 && status != 101) {
      interim.push_back(std::move(response));
      continue;
    }
    const bool none = body == BodyIs::absent || status == 101 || status == 204 || status == 304;
    if (!none) read_response_body(stream, response);
    response.interim = std::move(interim);
    return response;
  }
}

}  // namespace baton::harness
