#include "harness/strace.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "harness/deadline.hpp"
#include "harness/process.hpp"
#include "harness/temp_dir.hpp"

namespace baton::harness {

namespace {

pid_t tracer_of(pid_t pid) {
  const std::string status = read_file("/proc/" + std::to_string(pid) + "/status");
  const std::size_t at = status.find("TracerPid:");
  return at == std::string::npos ? 0 : std::atoi(status.c_str() + at + 10);
}

}  // namespace

bool can_attach() {
  const std::string scope = read_file("/proc/sys/kernel/yama/ptrace_scope");
  return can_trace() && (::geteuid() == 0 || scope.empty() || scope.starts_with('0'));
}

std::string injection(const std::string& call, const std::string& what, int n) {
  return "-e trace=" + call + " -e inject=" + call + ":" + what + ":when=" + std::to_string(n);
}

void end_tracing(pid_t pid) {
  const pid_t tracer = tracer_of(pid);
  if (tracer == 0) return;
  ::kill(tracer, SIGTERM);
  await([pid] { return tracer_of(pid) == 0; }, "the tracer to let go of " + std::to_string(pid));
}

}  // namespace baton::harness
