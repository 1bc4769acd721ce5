#include "proxy/state/upgrade_wire.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "handoff/limits.hpp"

namespace baton::state {

namespace {

constexpr std::size_t label_bytes_max = 256;
constexpr int counts_max = 64;
constexpr int steps_max = 32;
constexpr std::uint32_t share_of_all = 10'000;

std::string cut(const std::string& text, std::size_t bytes_max = handoff::limits::text_bytes_max) {
  return text.substr(0, bytes_max);
}

template <class Counts>
void write_counts(const std::map<std::string, std::uint64_t>& counts, Counts& out) {
  for (const auto& [label, number] : counts) {
    if (out.size() == counts_max) return;
    auto& one = *out.Add();
    one.set_label(cut(label, label_bytes_max));
    one.set_number(number);
  }
}

template <class Counts>
std::map<std::string, std::uint64_t> read_counts(const Counts& in) {
  std::map<std::string, std::uint64_t> counts;
  for (int i = 0; i < std::min(in.size(), counts_max); ++i)
    counts[cut(in[i].label(), label_bytes_max)] += in[i].number();
  return counts;
}

void write_side(const handoff::Side& side, wire::UpgradeSide& out) {
  out.set_generation(side.generation);
  out.set_pid(side.pid);
  out.set_version(cut(side.version));
}

handoff::Side read_side(const wire::UpgradeSide& in) {
  return {.generation = in.generation(), .pid = in.pid(), .version = cut(in.version())};
}

void write_side(const CanarySide& side, wire::CanarySide& out) {
  out.set_exchanges(side.exchanges);
  out.set_exposures(side.exposures);
  out.set_clients_failed(side.clients_failed);
}

CanarySide read_side(const wire::CanarySide& in) {
  return {.exchanges = in.exchanges(), .exposures = in.exposures(), .clients_failed = in.clients_failed()};
}

void write_canary(const CanaryRecord& canary, wire::CanaryRecord& out) {
  out.set_share(canary.share);
  out.set_verdict(cut(canary.verdict, label_bytes_max));
  out.set_decided_by(cut(canary.decided_by, label_bytes_max));
  out.set_text(cut(canary.text));
  out.set_evidence(canary.evidence);
  write_side(canary.canary, *out.mutable_canary());
  write_side(canary.others, *out.mutable_others());
}

CanaryRecord read_canary(const wire::CanaryRecord& in) {
  return {.share = static_cast<std::uint16_t>(std::min<std::uint32_t>(in.share(), share_of_all)),
          .verdict = cut(in.verdict(), label_bytes_max),
          .decided_by = cut(in.decided_by(), label_bytes_max),
          .text = cut(in.text()),
          .evidence = std::isfinite(in.evidence()) ? in.evidence() : 1,
          .canary = read_side(in.canary()),
          .others = read_side(in.others())};
}

}  // namespace

void write(const UpgradeRecord& record, wire::UpgradeRecord& out) {
  const handoff::Report& report = record.report;
  out.set_result(cut(record.result));
  out.set_reason(cut(record.reason));
  out.set_at_ms(record.at_ms);
  for (const UpgradeStep& step : record.steps) {
    if (out.steps_size() == steps_max) break;
    wire::UpgradeStep& one = *out.add_steps();
    one.set_step(cut(step.step, label_bytes_max));
    one.set_ms(step.ms);
  }
  write_side(report.from, *out.mutable_from());
  write_side(report.to, *out.mutable_to());
  write_counts(report.moved, *out.mutable_moved());
  write_counts(report.refused, *out.mutable_refused());
  out.set_taken_back(report.taken_back);
  out.set_returned(report.returned);
  out.set_left_behind(report.left_behind);
  out.set_left_behind_ms(report.left_behind_ms);
  out.set_pause_p50_us(report.pauses.p50_us);
  out.set_pause_p99_us(report.pauses.p99_us);
  out.set_pause_max_us(report.pauses.max_us);
  out.mutable_pause_us_log2()->Assign(report.pauses.by_log2.begin(), report.pauses.by_log2.end());
  out.set_duration_us(report.duration_us);
  if (record.canary) write_canary(*record.canary, *out.mutable_canary());
}

std::string encode(const CanarySide& side) {
  wire::CanarySide out;
  write_side(side, out);
  return out.SerializeAsString();
}

std::optional<CanarySide> decode_canary_side(const std::string& bytes) {
  wire::CanarySide in;
  if (!in.ParseFromString(bytes)) return std::nullopt;
  return read_side(in);
}

UpgradeRecord read(const wire::UpgradeRecord& in) {
  UpgradeRecord record{.result = cut(in.result()), .reason = cut(in.reason()), .report = {}, .at_ms = in.at_ms()};
  for (int i = 0; i < std::min(in.steps_size(), steps_max); ++i) {
    record.steps.push_back({cut(in.steps(i).step(), label_bytes_max), in.steps(i).ms()});
  }
  const auto& by_log2 = in.pause_us_log2();
  const int magnitudes = std::min(by_log2.size(), handoff::limits::pause_magnitudes_max);
  record.report = {.from = read_side(in.from()),
                   .to = read_side(in.to()),
                   .moved = read_counts(in.moved()),
                   .refused = read_counts(in.refused()),
                   .taken_back = in.taken_back(),
                   .returned = in.returned(),
                   .left_behind = in.left_behind(),
                   .left_behind_ms = in.left_behind_ms(),
                   .pauses = {.p50_us = in.pause_p50_us(),
                              .p99_us = in.pause_p99_us(),
                              .max_us = in.pause_max_us(),
                              .by_log2 = {by_log2.begin(), by_log2.begin() + magnitudes}},
                   .duration_us = in.duration_us()};
  if (in.has_canary()) record.canary = read_canary(in.canary());
  return record;
}

}  // namespace baton::state
