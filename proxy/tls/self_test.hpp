// Checks that this OpenSSL works as we assume. The record layer takes over its connections right after the handshake,
// which relies on facts that a future version may change. So each process tries every suite before it serves; a suite
// that fails stays with OpenSSL, and its connections drain in an upgrade instead of moving.
#pragma once

#include <string>
#include <vector>

#include "proxy/tls/suites.hpp"

namespace baton::tls {

struct SuiteFailure {
  std::string suite;
  std::string why;
};

// Does a handshake in memory for each suite, takes over both roles, and sends bytes both ways. Call before any thread
// makes connections.
std::vector<SuiteFailure> run_self_test();

// Whether this suite passed; false before `run_self_test`.
bool is_proved(const Suite& suite);

// Marks this suite as failed from now on. (For tests.)
void distrust(const Suite& suite);

}  // namespace baton::tls
