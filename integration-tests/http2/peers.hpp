// What the tests with foreign clients of HTTP/2 share.
#pragma once

#include <gtest/gtest.h>

#include <exception>
#include <string>

#include "harness/baton.hpp"
#include "harness/certificates.hpp"
#include "harness/origin.hpp"

namespace baton::harness {

// They speak over TLS with ALPN, or by prior knowledge without it.
enum class Leg { tls, plain };
inline void PrintTo(Leg leg, std::ostream* out) {
  *out << (leg == Leg::tls ? "Tls" : "Plain");
}
inline std::string name_of_leg(const testing::TestParamInfo<Leg>& info) {
  return testing::PrintToString(info.param);
}

class Http2Peers : public testing::Test {
 protected:
  Settings settings_for(const Address& server, Leg leg = Leg::tls) const {
    Settings settings(server);
    if (leg == Leg::tls) settings.tls = "certificates: [ " + certificate.yaml() + " ], alpn: [ h2, http/1.1 ]";
    settings.handoff += ", finish_timeout: 0s";
    return settings;
  }

  // "https://localhost:PORT/path"
  static std::string url(const Baton& baton, Leg leg, const std::string& path) {
    return (leg == Leg::tls ? "https://localhost:" : "http://localhost:") + std::to_string(baton.address().port) + path;
  }

  // From an answer of the origin, so that it comes in the middle of an exchange.
  static void upgrade_within_answer(Baton& baton) noexcept {
    baton.begin_upgrade();
    finish_upgrade_within_answer(baton);
  }
  static void finish_upgrade_within_answer(Baton& baton) noexcept {
    try {
      baton.finish_upgrade();
    } catch (const std::exception& failure) {
      ADD_FAILURE() << failure.what();
    }
  }

  TempDir directory;
  Authority authority{directory};
  const Certificate certificate = authority.issue({"localhost", "127.0.0.1"});
};

}  // namespace baton::harness
