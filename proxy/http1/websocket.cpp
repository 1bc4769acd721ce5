// WebSockets whose handshake is HTTP/1.1 on one side (RFC 6455 §4) and HTTP/2 on the other (RFC 8441).
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <string>

#include "proxy/http1/phases.hpp"

namespace baton::http1 {

namespace {

// What a server of HTTP/1.1 answers to the key (RFC 6455 §4.2.2).
std::string accept_for(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned bytes = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &bytes, EVP_sha1(), nullptr) != 1) return {};
  std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> encoded;
  const int size = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(bytes));
  return {encoded.begin(), encoded.begin() + size};
}

}  // namespace

void note_websocket(state::Exchange& exchange, const RequestHead& head) {
  const auto key = std::ranges::find(head.fields, FieldName::sec_websocket_key, &Field::id);
  if (key == head.fields.end()) return;
  if (!exchange.extras) exchange.extras.emplace();
  exchange.extras->websocket_accept = accept_for(key->value);
}

void write_switching_head(const state::Exchange& exchange, const ResponseHead& head, const ResponseRules& rules,
                          state::Buffer& out) {
  constexpr std::string_view accept = "Sec-WebSocket-Accept";
  std::string text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n";
  if (exchange.extras && !exchange.extras->websocket_accept.empty()) {
    text.append(accept).append(": ").append(exchange.extras->websocket_accept.view()).append("\r\n");
  }
  for (const Field& field : head.fields) {
    if (!equals_ignoring_case(field.name, accept)) text.append(field.line);
  }
  text.append("\r\n");
  ResponseHead switching;
  parse_response_head(text, {}, switching);
  write_response_head(switching, rules, out);
}

}  // namespace baton::http1
