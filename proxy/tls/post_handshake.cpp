#include "proxy/tls/post_handshake.hpp"

#include <algorithm>

namespace baton::tls {

namespace {

enum class MessageType : std::uint8_t { hello_request = 0, client_hello = 1, new_session_ticket = 4, key_update = 24 };

Verdict wrong(Alert alert, std::string_view why) { return {Heard::wrong, alert, why}; }

// Messages that we ignore. In TLS 1.2 they ask for another handshake.
bool is_skipped(const state::Tls& tls, MessageType type) {
  if (tls.version == tls13) return tls.is_client && type == MessageType::new_session_ticket;
  return type == (tls.is_client ? MessageType::hello_request : MessageType::client_hello);
}

// `rest` is what the record holds after the message's head: the body, or nothing yet.
Verdict hear_key_update(const Suite& suite, state::Tls& tls, std::size_t length, std::string_view rest) {
  if (length != 1) return wrong(Alert::decode_error, "a KeyUpdate of a wrong length");
  if (rest.empty()) return {};        // the head stays, and the body begins the next record
  if (rest.size() != 1) return wrong(Alert::unexpected_message, "a KeyUpdate that does not end its record");
  const char request = rest.front();
  if (request != 0 && request != 1) return wrong(Alert::illegal_parameter, "a KeyUpdate with an unknown request");
  update_keys(suite, tls.read.secrets);
  tls.read.sequence = 0;
  tls.message_head_bytes = 0;
  if (request == 1) tls.key_update_owed = true;
  return {.heard = Heard::new_keys, .why = {}};
}

}  // namespace

Verdict hear_alert(const state::Tls& tls, std::string_view content) {
  if (content.size() != 2) return wrong(Alert::decode_error, "an alert that is not alone and whole in its record");
  const auto level = static_cast<AlertLevel>(content[0]);
  const auto alert = static_cast<Alert>(content[1]);
  // In TLS 1.3 the level means nothing: every alert is fatal except those that announce the end of the data.
  const bool is_warning = tls.version == tls13 ? alert == Alert::user_canceled : level == AlertLevel::warning;
  if (alert != Alert::close_notify && !is_warning) {
    if (tls.version == tls12 && level != AlertLevel::fatal) {
      return wrong(Alert::illegal_parameter, "an alert of an unknown level");
    }
    return {.heard = Heard::fatal, .why = alert_received(static_cast<std::uint8_t>(content[1]))};
  }
  if (within_message(tls)) return wrong(Alert::unexpected_message, "an alert within a handshake message");
  return {.heard = alert == Alert::close_notify ? Heard::close : Heard::nothing, .why = {}};
}

Verdict hear_handshake(const Suite& suite, state::Tls& tls, std::string_view content) {
  for (;;) {
    const std::size_t skipped = std::min<std::size_t>(tls.message_left, content.size());
    content.remove_prefix(skipped);
    tls.message_left -= static_cast<std::uint32_t>(skipped);

    while (tls.message_head_bytes < tls.message_head.size() && !content.empty()) {
      tls.message_head[tls.message_head_bytes++] = static_cast<unsigned char>(content.front());
      content.remove_prefix(1);
    }
    if (tls.message_head_bytes < tls.message_head.size()) return {};

    const auto& head = tls.message_head;
    const auto type = static_cast<MessageType>(head[0]);
    const std::uint32_t length = std::uint32_t{head[1]} << 16 | std::uint32_t{head[2]} << 8 | head[3];
    if (tls.version == tls13 && type == MessageType::key_update) return hear_key_update(suite, tls, length, content);
    if (!is_skipped(tls, type)) return wrong(Alert::unexpected_message, "a handshake message after the handshake");
    tls.message_left = length;
    tls.message_head_bytes = 0;
    if (tls.version == tls12) tls.no_renegotiation_owed = true;
  }
}

}  // namespace baton::tls
