// Alerts: how one side announces the end of its data, or an error (RFC 8446 §6, RFC 5246 §7.2).
#pragma once

#include <cstdint>
#include <string_view>

namespace baton::tls {

enum class AlertLevel : std::uint8_t { warning = 1, fatal = 2 };

// The alerts that the record layer sends or treats specially.
enum class Alert : std::uint8_t {
  close_notify = 0,
  unexpected_message = 10,
  bad_record_mac = 20,
  record_overflow = 22,
  illegal_parameter = 47,
  decode_error = 50,
  protocol_version = 70,
  internal_error = 80,
  user_canceled = 90,
  no_renegotiation = 100,
};

// For the log: says that the other side sent this fatal alert, by name. The view never expires.
std::string_view alert_received(std::uint8_t alert);

}  // namespace baton::tls
