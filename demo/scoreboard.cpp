#include "demo/scoreboard.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <ostream>

namespace baton::demo {
namespace {

Size terminal_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return {};
  return {.rows = size.ws_row, .columns = size.ws_col};
}

std::string milliseconds(double microseconds) {
  return fmt::format("{:.2f} ms", microseconds / 1000);
}

std::string milliseconds(const LatencySpread& latency, double quantile) {
  return latency.count() == 0 ? "-" : milliseconds(static_cast<double>(latency.at(quantile).count()));
}

std::string clients_line(const View& view) {
  const Totals totals = sum(view.clients);
  return fmt::format("{} connected now, {} errors, {} closed, {} reconnects", totals.live(), totals.errors(),
                     totals.closes(), view.reconnects);
}

std::string verified(const Totals& totals, Kind kind) {
  if (const auto unit = clients::entry(kind).unit; !unit.empty()) return fmt::format("{} {}", totals.answered, unit);
  return fmt::format("{:.1f} MB", static_cast<double>(totals.bytes) / 1e6);
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
    lines.push_back(fmt::format(row, name_of(kind), plain.live(), verified(plain, kind), tls13.live(), tls12.live(),
                                verified(tls, kind)));
  }
  return lines;
}

std::vector<std::string> lines_above_upgrades(const View& view) {
  std::vector<std::string> lines{
      fmt::format("  now       {}", view.doing),
      fmt::format("  serving   PID {}, generation {}", view.pid, view.generation),
      fmt::format("  requests  {:.0f}/s, p50 {}, p99 {} in the last second", view.requests_per_second,
                  milliseconds(view.latency, 0.5), milliseconds(view.latency, 0.99)),
      fmt::format("  clients   {}", clients_line(view)),
  };
  if (!view.canary.empty()) lines.push_back("  canary    " + view.canary);
  if (!view.shortfall.empty()) lines.push_back("  note      " + view.shortfall);
  for (std::string& row : kinds_now(view.clients)) lines.push_back(std::move(row));
  return lines;
}

}  // namespace

std::vector<std::string> board_lines(const View& view) {
  std::vector<std::string> lines = lines_above_upgrades(view);
  for (std::string& row : upgrade_table(view.upgrades)) lines.push_back(std::move(row));
  return lines;
}

std::vector<std::string> frame_lines(const View& view, Size size) {
  std::vector<std::string> lines = lines_above_upgrades(view);
  std::vector<std::string> rows = upgrade_table(view.upgrades);
  // The lowest line and the rightmost column stay free: a cursor beyond them would scroll the screen.
  const std::size_t lines_max = size.rows - std::min<std::size_t>(size.rows, 1);
  const std::size_t space = lines_max - std::min(lines_max, lines.size());
  if (rows.size() > space) {
    const std::size_t heading = std::min<std::size_t>(space, 1);
    rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(heading),
               rows.end() - static_cast<std::ptrdiff_t>(space - heading));
  }
  std::ranges::move(rows, std::back_inserter(lines));
  if (lines.size() > lines_max) lines.resize(lines_max);
  for (std::string& line : lines)
    line.resize(std::min(line.size(), size.columns - std::min<std::size_t>(size.columns, 1)));
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
  if (!display_.in_place) {
    out_ << fmt::format("PID {} generation {}: {:.0f} requests/s, p99 {}, {}{}{}{}{}\n", view.pid, view.generation,
                        view.requests_per_second, milliseconds(view.latency, 0.99), clients_line(view),
                        view.shortfall.empty() ? "" : "; ", view.shortfall,
                        view.canary.empty() ? "" : "; canary: ", view.canary)
         << std::flush;
    return;
  }
  enter_screen();
  std::string frame = "\x1b[H";
  for (const std::string& line : frame_lines(view, terminal_size())) frame += line + "\x1b[K\n";
  out_ << frame << "\x1b[J" << std::flush;
}

void Scoreboard::settle(const View& view) {
  leave_screen();
  if (display_.in_place) {
    for (const std::string& line : board_lines(view)) say(line);
  } else {
    show(view);
    for (const std::string& row : upgrade_table(view.upgrades)) say(row);
  }
  if (!view.upgrades.empty()) say("");
  for (const std::string& row : moved_table(view.upgrades)) say(row);
}

void Scoreboard::say(std::string_view line) {
  leave_screen();
  out_ << line << '\n' << std::flush;
}

void Scoreboard::say_in(std::string_view line, std::string_view colour) {
  if (display_.colour) {
    say(fmt::format("{}{}\x1b[0m", colour, line));
  } else {
    say(line);
  }
}

void Scoreboard::enter_screen() {
  if (!on_screen_) out_ << "\x1b[?1049h\x1b[?25l";
  on_screen_ = true;
}

void Scoreboard::leave_screen() {
  if (on_screen_) out_ << "\x1b[?25h\x1b[?1049l" << std::flush;
  on_screen_ = false;
}

}  // namespace baton::demo
