#include "demo/scoreboard.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <ostream>

namespace baton::demo {
namespace {

std::size_t terminal_columns() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string milliseconds(double microseconds) {
  return fmt::format("{:.2f} ms", microseconds / 1000);
}

std::string milliseconds(const LatencySpread& latency, double quantile) {
  return latency.count() == 0 ? "-" : milliseconds(static_cast<double>(latency.at(quantile).count()));
}

std::string clients_line(const View& view) {
  const Totals totals = sum(view.clients);
  return fmt::format("{} connected, {} errors, {} closed, {} reconnects", totals.opened, totals.errors(),
                     totals.closes(), view.reconnects);
}

std::string verified(const Totals& totals, Kind kind) {
  if (const auto unit = clients::entry(kind).unit; !unit.empty()) return fmt::format("{} {}", totals.answered, unit);
  return fmt::format("{:.1f} MB", static_cast<double>(totals.bytes) / 1e6);
}

// Connections that are open, or were proven alive at their end.
std::uint64_t intact(const Totals& totals) {
  return totals.opened - std::min(totals.opened, totals.errors() + totals.closes());
}

// "  keep-alive       125    41234 answers       52       31    20123 answers"
std::vector<std::string> kinds_now(const TotalsByGroup& clients) {
  constexpr auto row = "  {:<13}{:>6}{:>17}{:>9}{:>9}{:>17}";  // 73 columns
  std::vector<std::string> lines{fmt::format(row, "", name_of(Transport::plain), "verified", name_of(Transport::tls13),
                                             name_of(Transport::tls12), "verified")};
  for (const Kind kind : kinds_played) {
    const Totals& plain = of(clients, {kind, Transport::plain});
    const Totals& tls13 = of(clients, {kind, Transport::tls13});
    const Totals& tls12 = of(clients, {kind, Transport::tls12});
    Totals tls = tls13;
    tls += tls12;
    lines.push_back(fmt::format(row, name_of(kind), intact(plain), verified(plain, kind), intact(tls13), intact(tls12),
                                verified(tls, kind)));
  }
  return lines;
}

}  // namespace

std::vector<std::string> board_lines(const View& view) {
  std::vector<std::string> lines{
      fmt::format("  now       {}", view.doing),
      fmt::format("  serving   PID {}, generation {}", view.pid, view.generation),
      fmt::format("  requests  {:.0f}/s, p50 {}, p99 {} in the last second", view.requests_per_second,
                  milliseconds(view.latency, 0.5), milliseconds(view.latency, 0.99)),
      fmt::format("  clients   {}", clients_line(view)),
  };
  for (std::string& row : kinds_now(view.clients)) lines.push_back(std::move(row));
  for (std::string& row : upgrade_table(view.upgrades)) lines.push_back(std::move(row));
  return lines;
}

std::vector<std::string> kinds_table(const TotalsByGroup& clients) {
  constexpr auto row = "  {:<12}{:>16}{:>16}{:>16}{:>17}";  // 79 columns
  std::vector<std::string> lines{fmt::format(row, "to the end", name_of(Transport::plain), name_of(Transport::tls13),
                                             name_of(Transport::tls12), "verified")};
  for (const Kind kind : kinds_played) {
    const auto kept = [&](Transport transport) {
      const Totals& totals = of(clients, {kind, transport});
      return fmt::format("{} of {}", totals.proven, totals.started);
    };
    lines.push_back(fmt::format(row, name_of(kind), kept(Transport::plain), kept(Transport::tls13),
                                kept(Transport::tls12), verified(sum(clients, kind), kind)));
  }
  return lines;
}

std::vector<std::string> moved_table(const std::vector<Upgrade>& upgrades) {
  if (upgrades.empty()) return {};
  constexpr auto row = "  {:<11}{:>6}{:>7}{:>10}{:>8}{:>9}{:>14}{:>12}";  // 79 columns
  std::vector<std::string> lines{
      fmt::format(row, "moved", "idle", "head", "exchange", "tunnel", "closing", "idle upstream", "left behind")};
  for (const Upgrade& upgrade : upgrades) {
    if (!upgrade.failure.empty()) continue;
    const UpgradeReport& report = upgrade.report;
    const auto moved = [&](const char* state) {
      const auto found = report.moved.find(state);
      return found == report.moved.end() ? 0 : found->second;
    };
    lines.push_back(fmt::format(row, fmt::format("{} -> {}", upgrade.from_generation, upgrade.from_generation + 1),
                                moved("idle"), moved("head"), moved("exchange"), moved("tunnel"), moved("closing"),
                                report.upstream_idle_moved, report.taken_back + report.refused));
  }
  return lines;
}

std::vector<std::string> upgrade_table(const std::vector<Upgrade>& upgrades) {
  if (upgrades.empty()) return {};
  constexpr auto row = "  {:<11}{:<17}{:>8}{:>7}{:>11}{:>11}{:>12}";  // 79 columns
  std::vector<std::string> lines{
      fmt::format(row, "generation", "PID", "took", "moved", "pause p99", "pause max", "client p99")};
  for (const Upgrade& upgrade : upgrades) {
    const std::string generations = fmt::format("{} -> {}", upgrade.from_generation, upgrade.from_generation + 1);
    if (!upgrade.failure.empty()) {
      lines.push_back(fmt::format("  {:<11}{:<17}FAILED: {}", generations, upgrade.from_pid, upgrade.failure));
      continue;
    }
    const UpgradeReport& report = upgrade.report;
    lines.push_back(fmt::format(row, generations, fmt::format("{} -> {}", upgrade.from_pid, upgrade.to_pid),
                                fmt::format("{:.0f} ms", report.duration_ms), report.moved_total,
                                milliseconds(report.pause_us.p99), milliseconds(report.pause_us.max),
                                milliseconds(upgrade.latency, 0.99)));
    if (report.taken_back + report.refused != 0) {
      lines.push_back(fmt::format("  {:<11}{} taken back, {} refused", "", report.taken_back, report.refused));
    }
    for (const auto& [reason, count] : report.refused_by_reason) {
      lines.push_back(fmt::format("  {:<11}{}: {}", "", count, reason));
    }
  }
  return lines;
}

void LastSecond::sample(Clock::time_point now, const LatencySpread& latency) {
  samples_.push_back({now, latency});
  while (samples_.size() > 2 && now - samples_[1].time >= std::chrono::seconds{1}) samples_.pop_front();
}

double LastSecond::requests_per_second() const {
  if (samples_.size() < 2) return 0;
  const std::chrono::duration<double> time = samples_.back().time - samples_.front().time;
  return static_cast<double>(latency().count()) / time.count();
}

LatencySpread LastSecond::latency() const {
  return samples_.empty() ? LatencySpread{} : samples_.back().latency.since(samples_.front().latency);
}

void Scoreboard::show(const View& view) {
  if (!in_place_) {
    out_ << fmt::format("PID {} generation {}: {:.0f} requests/s, p99 {}, {}\n", view.pid, view.generation,
                        view.requests_per_second, milliseconds(view.latency, 0.99), clients_line(view))
         << std::flush;
    return;
  }
  erase();
  const std::size_t columns = terminal_columns();
  for (const std::string& line : board_lines(view)) {
    out_ << std::string_view(line).substr(0, columns - 1) << '\n';  // a wrapped line would spoil the redrawing
    ++drawn_;
  }
  out_ << std::flush;
}

void Scoreboard::settle(const View& view) {
  show(view);
  if (!in_place_) {
    for (const std::string& row : upgrade_table(view.upgrades)) say(row);
  }
  drawn_ = 0;
  if (!view.upgrades.empty()) say("");
  for (const std::string& row : moved_table(view.upgrades)) say(row);
}

void Scoreboard::say(std::string_view line) {
  erase();
  out_ << line << '\n' << std::flush;
}

void Scoreboard::say_in(std::string_view line, std::string_view colour) {
  if (in_place_) {
    say(fmt::format("{}{}\x1b[0m", colour, line));
  } else {
    say(line);
  }
}

void Scoreboard::erase() {
  if (drawn_ != 0) out_ << "\x1b[" << drawn_ << "A\x1b[J";
  drawn_ = 0;
}

}  // namespace baton::demo
