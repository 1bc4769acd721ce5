// The lines of Baton's log that tests wait for. They are collected here because they are also a promise to operators.
#pragma once

#include <regex>

namespace baton::harness::log_lines {

// The report of a finished upgrade.
inline const std::regex upgrade_report{R"(upgrade: .*moved=\d+)"};
// An upgrade that did not complete; the old process keeps serving.
inline const std::regex upgrade_failed{R"(upgrade: (failed|rolled back): )"};
// A signal for an upgrade during an upgrade.
inline const std::regex upgrade_refused{R"(upgrade: .*(refused|already))"};
// Why a second process on the same configuration does not start.
inline const std::regex lock_held{R"(lock|another (process|instance)|already)"};

// SIGHUP, answered by exactly one of these.
inline const std::regex reload_done{R"(reload: done)"};
inline const std::regex reload_failed{R"(reload: failed)"};
// SIGUSR1.
inline const std::regex logs_reopened{R"(log files reopened)"};
// A worker cannot accept connections; the reason follows.
inline const std::regex accepting_pauses{R"(accepting pauses: )"};

}  // namespace baton::harness::log_lines
