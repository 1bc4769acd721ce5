#include "proxy/admin/upgrade_events.hpp"

#include <fmt/format.h>

#include "proxy/runtime/text.hpp"

namespace baton::admin {

std::string started_event(std::int64_t pid, const std::string& binary) {
  std::string line = fmt::format(R"({{"event":"started","pid":{},"binary":)", pid);
  runtime::append_json_string(line, binary);
  return line + "}";
}

std::string rollback_event(const std::string& version, std::uint64_t unknown) {
  std::string line = R"({"event":"rollback","version":)";
  runtime::append_json_string(line, version);
  return line + fmt::format(R"(,"unknown":{}}})", unknown);
}

std::string waiting_event() {
  return R"({"event":"waiting"})";
}

std::string ready_event() {
  return R"({"event":"ready"})";
}

std::string probation_event(std::uint64_t left_ms, const handoff::Conduct& conduct) {
  return fmt::format(R"({{"event":"probation","left_ms":{},"accepted":{},"served":{},"failed":{}}})", left_ms, conduct.accepted,
                     conduct.served, conduct.failed);
}

std::string canary_event(std::uint64_t left_ms, const state::CanaryRecord& canary) {
  return fmt::format(R"({{"event":"canary","left_ms":{},"canary":{}}})", left_ms, to_json(canary));
}

std::string recalled_event() {
  return R"({"event":"recalled"})";
}

std::string moving_event(std::uint64_t left, std::uint64_t of) {
  return fmt::format(R"({{"event":"moving","left":{},"of":{}}})", left, of);
}

std::string result_event(const LastUpgrade& upgrade) {
  return R"({"event":"result","upgrade":)" + to_json(upgrade) + "}";
}

}  // namespace baton::admin
