#include "proxy/arrival/client_hello.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <optional>
#include <utility>

namespace baton::arrival {

using Found = ClientHello::Found;

namespace {

constexpr std::size_t record_header_bytes = 5;
constexpr std::size_t message_header_bytes = 4;

// Takes numbers and parts with a length in front. Once something is missing, `failed` stays true and all is empty.
class Parts {
 public:
  explicit Parts(std::string_view bytes) : bytes_(bytes) {}

  std::string_view take(std::size_t count) {
    if (count > bytes_.size()) {
      failed = true;
      bytes_ = {};
      return {};
    }
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  std::size_t number(std::size_t bytes) {
    std::size_t value = 0;
    for (const char c : take(bytes)) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  }
  std::string_view with_length(std::size_t length_bytes) { return take(number(length_bytes)); }
  bool is_empty() const { return bytes_.empty(); }

  bool failed = false;

 private:
  std::string_view bytes_;
};

// The handshake message in the records so far; nothing: these are no records of a handshake.
std::optional<std::string> message_in(std::string_view received) {
  std::string message;
  while (!received.empty()) {
    const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(received[i]); };
    if (at(0) != 22 || (received.size() > 1 && at(1) != 3)) return std::nullopt;
    if (received.size() < record_header_bytes) break;
    const std::size_t length = static_cast<std::size_t>(at(3)) << 8 | at(4);
    if (length == 0 || length > 16384) return std::nullopt;
    message += received.substr(record_header_bytes, length);
    received.remove_prefix(std::min(received.size(), record_header_bytes + length));
    // What follows the message belongs to the handshake, not to this decision.
    if (message.size() >= message_header_bytes) {
      Parts parts(message);
      (void)parts.take(1);
      if (message.size() >= message_header_bytes + parts.number(3)) break;
    }
  }
  return message;
}

std::string lowercase(std::string_view name) {
  std::string text(name);
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  if (text.ends_with('.')) text.pop_back();
  return text;
}

// The first host name of the list. Other kinds of names are not defined.
bool read_server_name(std::string_view extension, ClientHello& hello) {
  Parts parts(extension);
  Parts list(parts.with_length(2));
  while (!list.is_empty() && !list.failed) {
    const std::size_t type = list.number(1);
    const std::string_view name = list.with_length(2);
    if (type == 0 && hello.server_name.empty()) hello.server_name = lowercase(name);
  }
  return !parts.failed && !list.failed && parts.is_empty();
}

bool read_alpn(std::string_view extension, ClientHello& hello) {
  Parts parts(extension);
  Parts list(parts.with_length(2));
  while (!list.is_empty() && !list.failed) hello.alpn.emplace_back(list.with_length(1));
  return !parts.failed && !list.failed && parts.is_empty();
}

bool read_body(std::string_view body, ClientHello& hello) {
  Parts parts(body);
  (void)parts.take(2 + 32);    // legacy_version and random
  (void)parts.with_length(1);  // legacy_session_id
  (void)parts.with_length(2);  // cipher_suites
  (void)parts.with_length(1);  // legacy_compression_methods
  if (parts.failed) return false;
  if (parts.is_empty()) return true;  // TLS 1.2 may leave the extensions out (RFC 5246 §7.4.1.2)
  Parts extensions(parts.with_length(2));
  bool has_name = false;
  bool has_alpn = false;
  while (!extensions.is_empty() && !extensions.failed) {
    const std::size_t type = extensions.number(2);
    const std::string_view content = extensions.with_length(2);
    if (extensions.failed) return false;
    // One of a kind: of two names, another reader may take the other.
    if (type == 0 && (std::exchange(has_name, true) || !read_server_name(content, hello))) return false;
    if (type == 16 && (std::exchange(has_alpn, true) || !read_alpn(content, hello))) return false;
  }
  return !parts.failed && !extensions.failed && parts.is_empty();
}

}  // namespace

ClientHello find_client_hello(std::string_view received) {
  const auto message = message_in(received.substr(0, client_hello_bytes_max));
  if (!message || (!message->empty() && message->front() != 1)) return {.found = Found::none};
  const bool is_too_long = received.size() >= client_hello_bytes_max;
  const auto incomplete = [&] { return ClientHello{.found = is_too_long ? Found::none : Found::incomplete}; };
  if (message->size() < message_header_bytes) return incomplete();
  Parts parts(*message);
  (void)parts.take(1);
  const std::size_t bytes = parts.number(3);
  if (bytes > client_hello_bytes_max) return {.found = Found::none};
  const std::string_view body = parts.take(bytes);
  if (parts.failed) return incomplete();
  ClientHello hello{.found = Found::whole};
  if (!read_body(body, hello)) return {.found = Found::none};
  return hello;
}

}  // namespace baton::arrival
