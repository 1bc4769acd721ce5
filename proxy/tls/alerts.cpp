#include "proxy/tls/alerts.hpp"

namespace baton::tls {

std::string_view alert_received(std::uint8_t alert) {
  switch (alert) {
    case 10: return "the other side sent the alert unexpected_message";
    case 20: return "the other side sent the alert bad_record_mac";
    case 21: return "the other side sent the alert decryption_failed";
    case 22: return "the other side sent the alert record_overflow";
    case 30: return "the other side sent the alert decompression_failure";
    case 40: return "the other side sent the alert handshake_failure";
    case 42: return "the other side sent the alert bad_certificate";
    case 43: return "the other side sent the alert unsupported_certificate";
    case 44: return "the other side sent the alert certificate_revoked";
    case 45: return "the other side sent the alert certificate_expired";
    case 46: return "the other side sent the alert certificate_unknown";
    case 47: return "the other side sent the alert illegal_parameter";
    case 48: return "the other side sent the alert unknown_ca";
    case 49: return "the other side sent the alert access_denied";
    case 50: return "the other side sent the alert decode_error";
    case 51: return "the other side sent the alert decrypt_error";
    case 70: return "the other side sent the alert protocol_version";
    case 71: return "the other side sent the alert insufficient_security";
    case 80: return "the other side sent the alert internal_error";
    case 86: return "the other side sent the alert inappropriate_fallback";
    case 90: return "the other side sent the alert user_canceled";
    case 100: return "the other side sent the alert no_renegotiation";
    case 109: return "the other side sent the alert missing_extension";
    case 110: return "the other side sent the alert unsupported_extension";
    case 112: return "the other side sent the alert unrecognized_name";
    case 113: return "the other side sent the alert bad_certificate_status_response";
    case 115: return "the other side sent the alert unknown_psk_identity";
    case 116: return "the other side sent the alert certificate_required";
    case 120: return "the other side sent the alert no_application_protocol";
    default: return "the other side sent an unknown alert";
  }
}

}  // namespace baton::tls
