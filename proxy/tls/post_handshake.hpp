// Interprets records without application data: alerts, and handshake messages after the handshake (RFC 8446 §4.6 and
// §6, RFC 5246 §7.2 and §7.4.1). They change the state; nothing is sent from here.
#pragma once

#include <string_view>

#include "proxy/state/state.hpp"
#include "proxy/tls/alerts.hpp"
#include "proxy/tls/suites.hpp"

namespace baton::tls {

enum class Heard {
  nothing,               // nothing needs to be done
  new_keys,              // `tls.read` has its next keys
  close,                 // close_notify
  fatal,                 // the other side has given up
  wrong,                 // the other side must be sent an alert
};

struct Verdict {
  Heard heard = Heard::nothing;
  Alert alert = Alert::close_notify;  // for `wrong`
  std::string_view why;               // for `fatal` and `wrong`
};

// `content` is that of one record: complete and not empty.
Verdict hear_alert(const state::Tls& tls, std::string_view content);
Verdict hear_handshake(const Suite& suite, state::Tls& tls, std::string_view content);

// A handshake message has begun and is incomplete: nothing else may come in between (RFC 8446 §5.1).
inline bool within_message(const state::Tls& tls) { return tls.message_left != 0 || tls.message_head_bytes != 0; }

}  // namespace baton::tls
