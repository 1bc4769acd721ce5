#include "proxy/admin/status.hpp"

#include <fmt/format.h>
#include <boost/json.hpp>

#include <map>

#include "proxy/runtime/text.hpp"
#include "proxy/state/codec.hpp"

namespace baton::admin {

namespace json = boost::json;

namespace {

// Labels, reasons and versions come from another process; they may be anything.
json::string text_of(const std::string& text) {
  return json::string(runtime::valid_utf8(text));
}

json::object counts_of(const std::map<std::string, std::uint64_t>& counts) {
  json::object object;
  for (const auto& [name, count] : counts) {
    // Two names may become equal when invalid bytes are replaced.
    json::value& sum = object.emplace(runtime::valid_utf8(name), std::uint64_t{0}).first->value();
    sum = sum.as_uint64() + count;
  }
  return object;
}

std::uint64_t total_of(const std::map<std::string, std::uint64_t>& counts) {
  std::uint64_t total = 0;
  for (const auto& [name, count] : counts) total += count;
  return total;
}

json::object connections_of(const Connections& connections) {
  return {{"idle", connections.idle},     {"head", connections.head},       {"exchange", connections.exchange},
          {"tunnel", connections.tunnel}, {"closing", connections.closing}, {"total", connections.total()}};
}

json::object pauses_of(const handoff::Pauses& pauses) {
  return {{"p50", pauses.p50_us},
          {"p99", pauses.p99_us},
          {"max", pauses.max_us},
          {"log2", json::array(pauses.by_log2.begin(), pauses.by_log2.end())}};
}

json::array steps_of(const std::vector<state::UpgradeStep>& steps) {
  json::array array;
  for (const state::UpgradeStep& one : steps) array.push_back({{"step", text_of(one.step)}, {"ms", one.ms}});
  return array;
}

json::object canary_of(const state::CanaryRecord& canary) {
  const auto side_of = [](const state::CanarySide& side) {
    return json::object{
        {"exchanges", side.exchanges}, {"exposures", side.exposures}, {"clients_failed", side.clients_failed}};
  };
  return {{"share", canary.share / 100.0},
          {"verdict", text_of(canary.verdict)},
          {"decided_by", text_of(canary.decided_by)},
          {"text", text_of(canary.text)},
          {"evidence", canary.evidence},
          {"canary", side_of(canary.canary)},
          {"others", side_of(canary.others)}};
}

json::object upgrade_of(const LastUpgrade& upgrade) {
  const handoff::Report& report = upgrade.report;
  const Moved moved = moved_of(report);
  json::object object{{"result", text_of(upgrade.result)},
                      {"reason", text_of(upgrade.reason)},
                      {"from_generation", report.from.generation},
                      {"to_generation", report.to.generation},
                      {"from_pid", report.from.pid},
                      {"to_pid", report.to.pid},
                      {"from_version", text_of(report.from.version)},
                      {"to_version", text_of(report.to.version)},
                      {"duration_ms", (report.duration_us + 500) / 1000},
                      {"moved", counts_of(moved.clients)},
                      {"moved_total", moved.clients_total},
                      {"upstream_idle_moved", moved.upstream_idle},
                      {"taken_back", report.taken_back},
                      {"came_back", report.returned},
                      {"refused", total_of(report.refused)},
                      {"refused_by_reason", counts_of(report.refused)},
                      {"left_behind", report.left_behind},
                      {"pause_us", pauses_of(report.pauses)},
                      {"at_ms", upgrade.at_ms},
                      {"steps", steps_of(upgrade.steps)}};
  if (upgrade.canary) object["canary"] = canary_of(*upgrade.canary);
  return object;
}

json::array upgrades_of(const std::vector<LastUpgrade>& upgrades) {
  json::array array;
  for (const LastUpgrade& one : upgrades) array.push_back(upgrade_of(one));
  return array;
}

json::array listening_of(const std::vector<Listening>& sockets) {
  json::array array;
  for (const Listening& one : sockets) array.push_back({{"listener", text_of(one.listener)}, {"address", text_of(one.address)}});
  return array;
}

json::object configuration_of(const config::Provenance& provenance) {
  return {{"from", provenance.is_applied ? "api" : "file"}, {"at_ms", provenance.at_ms}};
}

}  // namespace

const char* name_of(State state) {
  switch (state) {
    case State::serving: return "serving";
    case State::draining: return "draining";
    case State::stopping: return "stopping";
  }
  return "";
}

Moved moved_of(const handoff::Report& report) {
  Moved moved;
  for (const auto& [label, number] : report.moved) {
    if (label == state::upstream_idle_label) {
      moved.upstream_idle += number;
    } else {
      moved.clients[label] += number;
      moved.clients_total += number;
    }
  }
  return moved;
}

std::string what_stayed(const handoff::Report& report) {
  if (report.left_behind == 0) return {};
  return fmt::format("{} connections could not move and were left with PID {} for at most {} s", report.left_behind,
                     report.from.pid, (report.left_behind_ms + 999) / 1000);
}

namespace {

json::object crashes_of(const state::Crashes& crashes) {
  json::object object{{"total", crashes.total},
                      {"whole_total", crashes.whole_total},
                      {"lost_total", crashes.lost_total},
                      {"last", nullptr}};
  if (crashes.total == 0) return object;
  const state::Crash& last = crashes.last;
  json::array running;
  for (const std::string& one : last.running) running.push_back(text_of(one));
  object["last"] = {{"pid", last.pid},
                    {"signal", last.signal},
                    {"at_us", last.at_unix_us},
                    {"whole", last.whole},
                    {"lost", last.lost},
                    {"stall_us", last.stall_us},
                    {"running", std::move(running)}};
  return object;
}

}  // namespace

std::string to_json(const Status& status) {
  json::object object{{"generation", status.generation},
                      {"pid", status.pid},
                      {"supervisor", nullptr},
                      {"keeper", nullptr},
                      {"version", text_of(status.version)},
                      {"started_at_ms", status.started_at_us / 1000},
                      {"admin_token", status.admin_token},
                      {"state", name_of(status.state)},
                      {"maintenance", status.maintenance},
                      {"configuration", configuration_of(status.configuration)},
                      {"listening", listening_of(status.listening)},
                      {"connections", connections_of(status.connections)},
                      {"upstream_idle", status.connections.upstream_idle},
                      {"accepted_total", status.accepted_total},
                      {"requests_total", status.requests_total},
                      {"rate_refusals_total", status.rate_refusals_total},
                      {"connection_refusals_total", status.connection_refusals_total},
                      {"access_refusals_total", status.access_refusals_total},
                      {"aborted_total", status.aborted_total},
                      {"last_upgrade", nullptr},
                      {"upgrades", upgrades_of(status.upgrades)},
                      {"crashes", crashes_of(status.crashes)},
                      {"certificates", certificates_json(status.certificates)},
                      {"rollback", nullptr}};
  if (status.supervisor) object["supervisor"] = *status.supervisor;
  if (status.keeper) object["keeper"] = *status.keeper;
  if (status.last_upgrade) object["last_upgrade"] = upgrade_of(*status.last_upgrade);
  if (status.canary) object["canary"] = canary_of(*status.canary);
  if (status.rollback) {
    object["rollback"] = {{"version", text_of(status.rollback->version)}, {"unknown", status.rollback->unknown}};
  }
  return json::serialize(object);
}

std::string to_json(const state::CanaryRecord& canary) {
  return json::serialize(canary_of(canary));
}

std::string to_json(const LastUpgrade& upgrade) {
  return json::serialize(upgrade_of(upgrade));
}

}  // namespace baton::admin
