#include "http2.hpp"

namespace {

enum Type : std::uint8_t {
  data = 0,
  headers = 1,
  rst_stream = 3,
  settings = 4,
  ping = 6,
  goaway = 7,
  window_update = 8
};
constexpr std::uint8_t ends_stream = 1, acknowledges = 1, ends_headers = 4;
constexpr std::size_t head_bytes = 9;
constexpr std::size_t credit_at_once = 16 * 1024;
constexpr std::string_view initial_window = {"\0\4", 2};  // the setting

std::string number(std::size_t value, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
  return number(payload.size(), 3) + static_cast<char>(type) + static_cast<char>(flags) + number(stream, 4) +
         std::string(payload);
}

std::string window(std::size_t bytes) {
  return std::string(initial_window) + number(bytes, 4);
}

std::string literal(char begin, std::string_view value) {
  return begin + number(value.size(), 1) + std::string(value);
}

std::size_t number_at(std::string_view bytes, std::size_t at, std::size_t count) {
  std::size_t value = 0;
  for (const char byte : bytes.substr(at, count)) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

}  // namespace

// RFC 7541: the first request puts three fields into the dynamic table, the others take them from there, as clients do.
std::string Http2::block(std::string_view path, std::string_view host) {
  const std::string line = "\x82\x87" + (path == "/" ? std::string("\x84") : literal('\x04', path));
  if (has_begun_) return line + "\xc0\xbf\xbe";
  return line + literal('\x41', host) + literal('\x7a', "bench/1.0") + literal('\x53', "*/*");
}

std::string Http2::request(std::string_view path, std::string_view host) {
  if (is_stalled_) {
    is_stalled_ = false;
    awaited_ = stalled_streams_;
    return frame(settings, 0, 0, window(65'535));
  }
  std::string out;
  if (!has_begun_) {
    out = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    out += frame(settings, 0, 0, stalled_streams_ != 0 ? window(0) : "");
    is_stalled_ = stalled_streams_ != 0;
  }
  awaited_ = is_stalled_ ? stalled_streams_ : 1;
  for (std::size_t i = 0; i < awaited_; ++i, next_stream_ += 2) {
    out += frame(headers, ends_stream | ends_headers, next_stream_, block(path, host));
    has_begun_ = true;
  }
  return out;
}

bool Http2::take(std::string_view bytes, std::string& reply) {
  if (!unread_.empty()) bytes = unread_.append(bytes);
  std::size_t used = 0;
  while (bytes.size() - used >= head_bytes) {
    const std::string_view rest = bytes.substr(used);
    const std::size_t length = number_at(rest, 0, 3);
    if (rest.size() < head_bytes + length) break;
    if (!take_frame(static_cast<std::uint8_t>(rest[3]), static_cast<std::uint8_t>(rest[4]),
                    rest.substr(head_bytes, length), reply)) {
      return false;
    }
    used += head_bytes + length;
  }
  unread_ = std::string(bytes.substr(used));
  return true;
}

bool Http2::take_frame(std::uint8_t type, std::uint8_t flags, std::string_view payload, std::string& reply) {
  switch (type) {
    case headers:
      // 200 from the static table, whatever may change the table's size before it.
      while (!payload.empty() && (payload[0] & 0xe0) == 0x20) payload.remove_prefix(1);
      if (!payload.starts_with('\x88')) return false;
      if (is_stalled_) --awaited_;
      return true;
    case data:
      unread_credit_ += payload.size();
      if (unread_credit_ >= credit_at_once) {
        reply += frame(window_update, 0, 0, number(unread_credit_, 4));
        unread_credit_ = 0;
      }
      if ((flags & ends_stream) != 0) --awaited_;
      return true;
    case settings:
      if ((flags & acknowledges) == 0) reply += frame(settings, acknowledges, 0, "");
      return true;
    case ping:
      if ((flags & acknowledges) == 0) reply += frame(ping, acknowledges, 0, payload);
      return true;
    case rst_stream:
    case goaway:
      return false;
    default:
      return true;
  }
}
