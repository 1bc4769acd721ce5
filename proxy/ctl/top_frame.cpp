#include "proxy/ctl/top_frame.hpp"

#include <fmt/format.h>
#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <string_view>
#include <vector>

#include "proxy/ctl/show.hpp"
#include "proxy/ctl/terminal_text.hpp"

namespace baton::ctl {

namespace json = boost::json;

namespace {

constexpr std::size_t name_width = 13;
constexpr std::size_t value_width = 12;
constexpr std::size_t curve_width_max = 180;
constexpr std::size_t section_rows_min = 3;

// --- Reading what may be anything ---

std::optional<double> number(const json::value* value) {
  if (value == nullptr || !value->is_number()) return std::nullopt;
  const auto read = value->to_number<double>();
  return std::isfinite(read) ? std::optional(read) : std::nullopt;
}
std::optional<double> number(const json::object& object, std::string_view key) {
  return number(object.if_contains(key));
}
std::uint64_t whole(const json::object& object, std::string_view key) {
  return static_cast<std::uint64_t>(std::clamp(number(object, key).value_or(0), 0.0, 1e18));
}
std::string text(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? printable(value->get_string()) : std::string();
}
// The same of a text that may have lines.
std::string on_one_line(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  std::string text(value->get_string());
  std::ranges::replace(text, '\n', ' ');
  return printable(text);
}
const json::object& object_of(const json::object& object, std::string_view key) {
  static const json::object none;
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_object() ? value->get_object() : none;
}
const json::array& array_of(const json::object& object, std::string_view key) {
  static const json::array none;
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_array() ? value->get_array() : none;
}
template <typename Take>
void for_each_object(const json::array& array, Take take) {
  for (const json::value& value : array) {
    if (value.is_object()) take(value.get_object());
  }
}

std::string server_name(const json::object& server) {
  return text(server, "upstream") + "/" + text(server, "address");
}

// --- Words for numbers ---

std::string count(double number) {
  std::string digits = fmt::format("{:.0f}", number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) {
    if (digits[at - 4] != '-') digits.insert(at - 3, ",");
  }
  return digits;
}
std::string rate(std::optional<double> per_second) {
  if (!per_second) return "-";
  return *per_second >= 100 || *per_second == 0 ? count(*per_second) : fmt::format("{:.1f}", *per_second);
}
std::string milliseconds(double ms) {
  return ms < 10 && ms != std::floor(ms) ? fmt::format("{:.1f} ms", ms) : count(ms) + " ms";
}
std::string span(std::int64_t ms) {
  const std::int64_t s = std::max<std::int64_t>(ms, 0) / 1000;
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min", s / 60);
  if (s < 86'400) return fmt::format("{} h {} min", s / 3600, s / 60 % 60);
  return fmt::format("{} d {} h", s / 86'400, s / 3600 % 24);
}

// ", canary 5% go on": of an upgrade; empty: it had none.
std::string canary_in_words(const json::object& upgrade) {
  const json::object& canary = object_of(upgrade, "canary");
  if (canary.empty()) return {};
  std::string verdict = text(canary, "verdict");
  std::ranges::replace(verdict, '_', ' ');
  return fmt::format(", canary {:g}% {}", number(canary, "share").value_or(0), verdict);
}

// --- What a history has ---

Samples samples_of(const json::object& history, std::string_view key) {
  Samples samples;
  for (const json::value& value : array_of(history, key)) samples.push_back(number(&value));
  return samples;
}

// --- The frame ---

class Frame {
 public:
  Frame(const Heard& heard, const Window& window, bool colours) : heard_(heard), window_(window), colours_(colours) {}

  std::string all() {
    add_head();
    add_numbers();
    add_warnings();
    add_sections();
    std::string text;
    for (std::size_t i = 0; i < lines_.size(); ++i) text.append(i == 0 ? "" : "\n").append(lines_[i]);
    return text;
  }

 private:
  Line line() const { return {window_.columns, colours_}; }
  bool is_full() const { return window_.rows != 0 && lines_.size() >= window_.rows; }
  void add(Line line) {
    if (!is_full()) lines_.push_back(line.take());
  }
  void add_blank() { add(line()); }

  void add_head() {
    const json::object& status = heard_.status;
    Line head = line();
    head.add("Baton " + text(status, "version"), Style::strong);
    const json::value* maintenance = status.if_contains("maintenance");
    const bool is_maintenance = maintenance != nullptr && *maintenance == true;
    const std::string state = is_maintenance ? "maintenance" : text(status, "state");
    head.add("  ").add(state, state == "serving" ? Style::good : Style::warn);
    head.add(fmt::format("  generation {}", whole(status, "generation")), Style::strong);
    head.add(fmt::format("  PID {}", whole(status, "pid")));
    if (const auto started = number(status, "started_at_ms")) {
      head.add("  up " + span(elapsed_ms(*started)));
    }
    if (!heard_.problem.empty()) {
      head.end_with(printable(heard_.problem), Style::warn);
    } else if (window_.rows != 0) {
      head.end_with("q ends", Style::quiet);
    }
    add(head);
    Line running = line();
    if (!heard_.upgrade.empty()) running.add(heard_.upgrade, Style::strong);
    add(running);
  }

  void add_curve(std::string_view name, const std::string& value, const Samples& samples, const std::string& most,
                 Style style) {
    Line row = line();
    row.add(left(name, name_width)).add(left(value, value_width), style);
    constexpr std::size_t words = 22;
    if (row.left() > words + 8) row.add(curve(samples, std::min(row.left() - words, curve_width_max)), Style::quiet);
    if (last_of(samples)) row.add("  at most " + most, Style::quiet);
    add(row);
  }

  void add_numbers() {
    const json::object& status = heard_.status;
    const json::object& history = heard_.history;
    const double every_s = std::max(number(history, "every_s").value_or(10), 1.0);
    const auto per_second = [&](std::string_view key) {
      Samples samples = samples_of(history, key);
      for (auto& one : samples) {
        if (one) *one /= every_s;
      }
      return samples;
    };
    const Samples requests = per_second("requests");
    const Samples failures = per_second("failures");
    const Samples p99 = samples_of(history, "p99_ms");
    const auto now = heard_.request_rate.of("requests");
    add_curve("requests", rate(now ? now : last_of(requests)) + "/s", requests, rate(most_of(requests)) + "/s",
              Style::strong);
    const auto failing = last_of(failures);
    add_curve("errors", rate(failing) + "/s", failures, rate(most_of(failures)) + "/s",
              failing.value_or(0) > 0 ? Style::bad : Style::plain);
    // Where nobody was served, there is none.
    const std::string slowest = p99.empty() || !p99.back() ? "-" : milliseconds(*p99.back());
    add_curve("latency p99", slowest, p99, milliseconds(most_of(p99)), Style::plain);
    const json::object& connections = object_of(status, "connections");
    const Samples sampled = samples_of(history, "connections");
    add_curve("connections", count(static_cast<double>(whole(connections, "total"))), sampled, count(most_of(sampled)),
              Style::plain);
    Line states = line();
    states.add("  ");
    std::string words;
    for (const auto& [state, value] : connections) {
      if (state == "total") continue;
      words += fmt::format("{} {}, ", printable(state), count(number(&value).value_or(0)));
    }
    states.add(words + fmt::format("idle to servers {}", count(static_cast<double>(whole(status, "upstream_idle")))));
    add(states);
  }

  void add_warnings() {
    const json::object& crashes = object_of(heard_.status, "crashes");
    if (whole(crashes, "total") > 0) {
      Line row = line();
      row.add(left("crashes", name_width))
          .add(fmt::format("{} ({} connections went on, {} lost)", whole(crashes, "total"),
                           whole(crashes, "whole_total"), whole(crashes, "lost_total")),
               Style::warn);
      add(row);
    }
    for_each_object(array_of(heard_.status, "certificates"), [&](const json::object& one) {
      constexpr double shown_below_days = 30;
      const double days = number(one, "days_left").value_or(shown_below_days);
      if (days >= shown_below_days || certificates_shown_++ > 0) return;
      const json::array& names = array_of(one, "names");
      const std::string name =
          !names.empty() && names.front().is_string() ? printable(names.front().get_string()) : "no name";
      Line row = line();
      row.add(left("certificate", name_width))
          .add(days < 0 ? name + " expired" : fmt::format("{} expires in {:.0f} days", name, days),
               days < 7 ? Style::bad : Style::warn);
      add(row);
    });
  }

  struct Section {
    std::string title;
    std::string heads;
    std::vector<Line> rows;
    std::size_t shown = 0;
  };

  std::vector<Section> sections() const {
    std::vector<Section> all{servers(), upgrades(), routes()};
    std::erase_if(all, [](const Section& section) { return section.rows.empty(); });
    return all;
  }

  // Each has a blank line, its heads and its rows. Short ones leave their rows to the others.
  void add_sections() {
    std::vector<Section> all = sections();
    if (window_.rows == 0) {
      for (Section& section : all) section.shown = section.rows.size();
    } else {
      const std::size_t used = lines_.size() + 2 * all.size();
      std::size_t free = window_.rows > used ? window_.rows - used : 0;
      const auto give = [&](Section& section, std::size_t most) {
        const std::size_t more = std::min({free, most, section.rows.size() - section.shown});
        section.shown += more;
        free -= more;
      };
      for (Section& section : all) give(section, section_rows_min);
      for (Section& section : all) give(section, section.rows.size());
    }
    for (Section& section : all) {
      if (section.shown == 0) continue;
      add_blank();
      std::string title = section.title;
      if (section.shown < section.rows.size()) title += fmt::format(" ({} of {})", section.shown, section.rows.size());
      const std::size_t columns = std::max<std::size_t>(first_column(), 1);
      Line heads = line();
      heads.add(section.heads.empty() ? title : left(title, columns), Style::strong).add(section.heads, Style::quiet);
      add(heads);
      for (std::size_t i = 0; i < section.shown; ++i) add(section.rows[i]);
    }
  }

  // What is wider than 80 columns goes to the names.
  std::size_t first_column() const { return 28 + (window_.columns > 80 ? (window_.columns - 80) * 2 / 3 : 0); }

  Section servers() const {
    Section section{.title = "servers", .heads = {}, .rows = {}};
    section.heads =
        fmt::format(" {:<8}{:>10}{:>10}{:>9}{:>7}{:>7}", "state", "in flight", "per s", "failed", "p50", "p99");
    for_each_object(heard_.servers, [&](const json::object& one) {
      const std::string name = server_name(one);
      const std::string state = text(one, "state");
      const auto time = [&](std::string_view key) {
        const double ms = number(one, key).value_or(0);
        return ms > 0 ? count(ms) + "ms" : std::string("-");
      };
      const std::uint64_t failures = whole(one, "failures_total");
      Line row = line();
      row.add(left(name, first_column()) + " ");
      row.add(left(state, 8), state == "up" ? Style::good : state == "drained" ? Style::warn : Style::bad);
      row.add(right(count(number(one, "connections").value_or(0)), 10) + right(rate(heard_.server_rates.of(name)), 10));
      row.add(right(count(static_cast<double>(failures)), 9), failures > 0 ? Style::bad : Style::plain);
      row.add(right(time("response_p50_ms"), 7) + right(time("response_p99_ms"), 7));
      if (const std::string why = text(one, "why"); !why.empty()) row.add("  " + why);
      section.rows.push_back(row);
    });
    return section;
  }

  Section routes() const {
    Section section{.title = "routes", .heads = {}, .rows = {}};
    section.heads = fmt::format(" {:>10}{:>14}{:>9}  {}", "per s", "requests", "failed", "action");
    for_each_object(heard_.routes, [&](const json::object& one) {
      const std::string name = text(one, "name");
      const std::uint64_t failures = whole(one, "failures_total");
      Line row = line();
      row.add(left(name, first_column()) + " ");
      row.add(right(rate(heard_.route_rates.of(name)), 10));
      row.add(right(count(static_cast<double>(whole(one, "requests_total"))), 14));
      row.add(right(count(static_cast<double>(failures)), 9), failures > 0 ? Style::bad : Style::plain);
      row.add("  " + text(one, "action"));
      section.rows.push_back(row);
    });
    return section;
  }

  Section upgrades() const {
    Section section{.title = "upgrades", .heads = {}, .rows = {}};
    const auto add_one = [&](const json::object& one) {
      const std::string result = text(one, "result");
      const bool is_done = result == "completed";
      Line row = line();
      const auto at = number(one, "at_ms");
      const std::string when = at ? span(elapsed_ms(*at)) + " ago" : "";
      row.add(left(when, 15)).add(left(result, 13), is_done ? Style::good : Style::bad);
      if (is_done) {
        const json::object& pause = object_of(one, "pause_us");
        const auto stood = [&](std::string_view key) {
          return fmt::format("{:.1f} ms", number(pause, key).value_or(0) / 1000);
        };
        row.add(fmt::format("{} to {}{}, {} moved, pause p99 {}, max {}", whole(one, "from_generation"),
                            whole(one, "to_generation"), canary_in_words(one),
                            count(static_cast<double>(whole(one, "moved_total"))), stood("p99"), stood("max")));
      } else {
        std::string reason = on_one_line(one, "reason");
        row.add(fmt::format("{} stays{}: {}", whole(one, "from_generation"), canary_in_words(one), reason));
      }
      section.rows.push_back(row);
    };
    const json::array& last = array_of(heard_.status, "upgrades");
    for_each_object(last, add_one);
    const json::object& only = object_of(heard_.status, "last_upgrade");  // of an older version
    if (last.empty() && !only.empty()) add_one(only);
    return section;
  }

  // Since a time that the other side says, which may be anything.
  std::int64_t elapsed_ms(double unix_ms) const {
    const auto now = static_cast<double>(heard_.now_ms);
    return static_cast<std::int64_t>(now - std::clamp(unix_ms, 0.0, now));
  }

  const Heard& heard_;
  const Window window_;
  const bool colours_;
  std::vector<std::string> lines_;
  int certificates_shown_ = 0;
};

}  // namespace

void Rates::take(const std::map<std::string, std::uint64_t>& totals, std::int64_t at_ms) {
  std::map<std::string, Rate> rates;
  for (const auto& [name, total] : totals) {
    Rate& rate = rates[name];
    rate = {total, at_ms, {}};
    const auto before = rates_.find(name);
    if (before == rates_.end() || at_ms <= before->second.at_ms) continue;
    const double grown = total > before->second.total ? static_cast<double>(total - before->second.total) : 0;
    rate.per_second = grown * 1000 / static_cast<double>(at_ms - before->second.at_ms);
  }
  rates_ = std::move(rates);
}

std::optional<double> Rates::of(const std::string& name) const {
  const auto found = rates_.find(name);
  return found == rates_.end() ? std::nullopt : found->second.per_second;
}

void Heard::take_status(const json::object& said, std::int64_t at_ms) {
  status = said;
  now_ms = at_ms;
  request_rate.take({{"requests", whole(said, "requests_total")}}, at_ms);
}

void Heard::take_servers(const json::object& said, std::int64_t at_ms) {
  servers = array_of(said, "servers");
  std::map<std::string, std::uint64_t> totals;
  for_each_object(servers, [&](const json::object& one) { totals[server_name(one)] = whole(one, "requests_total"); });
  server_rates.take(totals, at_ms);
}

void Heard::take_routes(const json::object& said, std::int64_t at_ms) {
  routes = array_of(said, "routes");
  std::map<std::string, std::uint64_t> totals;
  for_each_object(routes, [&](const json::object& one) { totals[text(one, "name")] = whole(one, "requests_total"); });
  route_rates.take(totals, at_ms);
}

std::string top_frame(const Heard& heard, const Window& window, bool colours) {
  return Frame(heard, window, colours).all();
}

std::string upgrade_in_words(const json::object& event) {
  const std::string name = text(event, "event");
  if (name == "started") return fmt::format("upgrade: PID {} starts: {}", whole(event, "pid"), text(event, "binary"));
  if (name == "rollback") return "rollback to baton " + text(event, "version");
  if (name == "ready") return "upgrade: the successor is ready";
  if (name == "recalled") return "upgrade: the successor gives back what it has";
  if (name == "moving") {
    const std::uint64_t of = whole(event, "of");
    return "upgrade: " + progress_bar(of - std::min(whole(event, "left"), of), of);
  }
  if (name == "probation") {
    return fmt::format("upgrade: on probation for {} s more: {} requests, {} of them failed",
                       (whole(event, "left_ms") + 999) / 1000, whole(event, "served"), whole(event, "failed"));
  }
  if (name == "canary") {
    try {
      return canary_line(event);
    } catch (const std::exception&) {
      return {};
    }
  }
  if (name == "result") {
    const json::object& upgrade = object_of(event, "upgrade");
    const std::string reason = on_one_line(upgrade, "reason");
    return "upgrade: " + text(upgrade, "result") + (reason.empty() ? "" : ": " + reason);
  }
  return {};
}

}  // namespace baton::ctl
