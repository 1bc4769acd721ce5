// Whether this OpenSSL works as we take it to: its connections are taken over by the record layer right after the
// handshake, which rests on facts that a future version may change. So each process tries it out for each suite before
// it serves; a suite that fails stays with OpenSSL, and its connections drain in an upgrade instead of moving.
#pragma once

#include <string>
#include <vector>

#include "proxy/tls/suites.hpp"

namespace baton::tls {

struct SuiteFailure {
  std::string suite;
  std::string why;
};

// A handshake in memory for each suite, both roles taken over, bytes both ways. Before any thread makes connections.
std::vector<SuiteFailure> run_self_test();

// It passed for this suite. Before `run_self_test`: none did.
bool is_proved(const Suite& suite);

// From now on this suite is one that failed. (For tests.)
void distrust(const Suite& suite);

}  // namespace baton::tls
