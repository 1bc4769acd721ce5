#include "proxy/ctl/show.hpp"

#include <fmt/format.h>
#include <boost/json.hpp>

#include <algorithm>

#include "proxy/runtime/text.hpp"

namespace baton::ctl {

namespace json = boost::json;

namespace {

constexpr std::size_t bar_width = 30;
constexpr std::size_t name_width = 14;

std::uint64_t number(const json::object& object, std::string_view key) {
  return object.at(key).to_number<std::uint64_t>();
}

std::string text(const json::object& object, std::string_view key) {
  return printable(object.at(key).as_string());
}

// " (idle 10, head 0)"; nothing for an empty object.
std::string in_parentheses(const json::object& counts) {
  std::string out;
  for (const auto& [name, count] : counts) {
    if (name == "total") continue;
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", printable(name), count.to_number<std::uint64_t>());
  }
  return out.empty() ? out : " (" + out + ")";
}

// `what` of predecessor and successor, as far as each of them said who it is.
std::string from_to(const json::object& upgrade, const std::string& what) {
  const auto known = [&](const std::string& key) {
    const json::value& value = upgrade.at(key);
    const std::string said = value.is_string() ? text(upgrade, key) : std::to_string(number(upgrade, key));
    return said.empty() || said == "0" ? "unknown" : said;
  };
  return known("from_" + what) + " to " + known("to_" + what);
}

// At most four characters below 10 billion.
std::string short_number(std::uint64_t number) {
  if (number < 10'000) return std::to_string(number);
  return number < 1'000'000 ? fmt::format("{}k", number / 1'000) : fmt::format("{}M", number / 1'000'000);
}

// "5%", "go on": of a canary.
std::string share_of(const json::object& canary) {
  return fmt::format("{:g}%", canary.at("share").to_number<double>());
}
std::string verdict_of(const json::object& canary) {
  std::string verdict = text(canary, "verdict");
  std::ranges::replace(verdict, '_', ' ');
  return verdict;
}

std::string milliseconds(std::uint64_t microseconds) {
  return fmt::format("{:.1f} ms", static_cast<double>(microseconds) / 1000.0);
}

// Further lines are indented below the first, so that no row can be forged.
std::string lines(const json::object& object, std::string_view key) {
  std::string out = printable(object.at(key).as_string(), true);
  for (std::size_t at = 0; (at = out.find('\n', at)) != std::string::npos;) {
    const std::string indented = "\n" + std::string(name_width + 1, ' ');
    out.replace(at, 1, indented);
    at += indented.size();
  }
  return out;
}

std::string crashes_text(const json::object& crashes) {
  return fmt::format("{} ({} connections went on, {} lost)", number(crashes, "total"), number(crashes, "whole_total"),
                     number(crashes, "lost_total"));
}

// A time in milliseconds since 1970; empty: not known.
std::string utc(std::int64_t ms) {
  return ms > 0 ? runtime::utc_text(ms / 1000) : std::string();
}

std::string configuration_text(const json::object& configuration) {
  const bool is_applied = text(configuration, "from") == "api";
  const std::string since = utc(configuration.at("at_ms").to_number<std::int64_t>());
  return (is_applied ? "applied over this interface" : "of the file, read") + (since.empty() ? "" : " at " + since);
}

// The one that expires first, if that is in under 30 days; nothing otherwise.
std::string expiry_text(const json::array& certificates) {
  constexpr std::int64_t shown_below_days = 30;
  if (certificates.empty()) return {};
  const json::object& first = certificates.front().as_object();
  const auto days = first.at("days_left").to_number<std::int64_t>();
  if (days >= shown_below_days) return {};
  const json::array& names = first.at("names").as_array();
  const std::string name = names.empty() ? "no name" : printable(names.front().as_string());
  const std::string when = days < 0    ? "expired"
                           : days == 0 ? "expires within a day"
                                       : fmt::format("expires in {} day{}", days, days == 1 ? "" : "s");
  return fmt::format("{} {}, at {}: {}", name, when, text(first, "not_after"), text(first, "path"));
}

void add(std::string& table, std::string_view name, const std::string& value) {
  table += fmt::format("{:<{}} {}\n", name, name_width, value);
}

void add_canary(std::string& table, const json::object& canary) {
  const auto served = [&](std::string_view side) {
    const json::object& numbers = canary.at(side).as_object();
    return fmt::format("{} requests, {} clients failed", number(numbers, "exchanges"),
                       number(numbers, "clients_failed"));
  };
  const std::string by = text(canary, "decided_by");
  const std::string why = lines(canary, "text");
  add(table, "canary", share_of(canary) + " of the clients");
  add(table, "verdict", verdict_of(canary) + (by.empty() ? "" : ", by " + by) + (why.empty() ? "" : ": " + why));
  add(table, "of the canary", served("canary"));
  add(table, "of the others", served("others"));
}

bool is_control(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7f;
  return character.size() == 2 && byte(0) == 0xc2 && byte(1) < 0xa0;  // C1: some terminals interpret them
}

}  // namespace

std::string printable(std::string_view text, bool lines) {
  std::string out;
  while (!text.empty()) {
    const std::size_t bytes = runtime::utf8_character_bytes(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(bytes, 1));
    const bool stays = bytes != 0 && (!is_control(character) || (lines && character == "\n"));
    out += stays ? character : std::string_view("\uFFFD");
    text.remove_prefix(character.size());
  }
  return out;
}

std::string with_file_name(const std::string& text, const std::string& name) {
  std::string result;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    std::size_t at = 0;
    const auto skip_number = [&] {
      const std::size_t first = at;
      while (at < line.size() && line[at] >= '0' && line[at] <= '9') ++at;
      return at > first && at < line.size() && line[at++] == ':';
    };
    if (skip_number() && skip_number()) result += name + ":";
    result += line;
    begin = end;
  }
  return result;
}

std::string status_table(const json::object& status) {
  const json::object& connections = status.at("connections").as_object();
  std::string table;
  add(table, "baton", text(status, "version"));
  add(table, "state", text(status, "state"));
  add(table, "generation", std::to_string(number(status, "generation")));
  add(table, "PID", std::to_string(number(status, "pid")));
  // An older version reports neither this nor what a rollback would do.
  const json::value* supervisor = status.if_contains("supervisor");
  if (supervisor != nullptr && !supervisor->is_null()) add(table, "supervisor", "PID " + std::to_string(number(status, "supervisor")));
  const json::value* crashes = status.if_contains("crashes");
  if (crashes != nullptr && number(crashes->as_object(), "total") != 0)
    add(table, "crashes", crashes_text(crashes->as_object()));
  add(table, "connections", std::to_string(number(connections, "total")) + in_parentheses(connections));
  add(table, "upstream idle", std::to_string(number(status, "upstream_idle")));
  add(table, "accepted", std::to_string(number(status, "accepted_total")));
  add(table, "requests", std::to_string(number(status, "requests_total")));
  const json::value* configuration = status.if_contains("configuration");
  if (configuration != nullptr) add(table, "configuration", configuration_text(configuration->as_object()));
  const json::value* certificates = status.if_contains("certificates");
  if (certificates != nullptr) {
    const std::string expiry = expiry_text(certificates->as_array());
    if (!expiry.empty()) add(table, "certificate", expiry);
  }
  const json::value* rollback = status.if_contains("rollback");
  if (rollback != nullptr && !rollback->is_null()) add(table, "rollback", rollback_text(rollback->as_object()));
  if (const json::value* canary = status.if_contains("canary")) add_canary(table, canary->as_object());
  const json::value& upgrade = status.at("last_upgrade");
  if (upgrade.is_null()) {
    add(table, "last upgrade", "none");
  } else {
    table += "\nlast upgrade\n" + upgrade_report(upgrade.as_object());
  }
  return table;
}

std::string routes_table(const json::object& routes) {
  std::string table =
      fmt::format("{:>12} {:>9}  {:<32} {:<28}  {}\n", "requests", "failures", "route", "action", "where");
  for (const json::value& value : routes.at("routes").as_array()) {
    const json::object& route = value.as_object();
    const std::string name = text(route, "name");
    const std::string match = text(route, "match");
    table += fmt::format("{:>12} {:>9}  {:<32} {:<28}  {}:{}\n", number(route, "requests_total"),
                         number(route, "failures_total"), name == match ? name : name + " (" + match + ")",
                         text(route, "action"), text(route, "file"), number(route, "line"));
  }
  return table;
}

std::string servers_table(const json::object& servers) {
  std::string table = fmt::format("{:<40} {:<8} {:>6} {:>11} {:>12} {:>9} {:>8} {:>8}  {}\n", "server", "state",
                                  "weight", "connections", "requests", "failures", "p50", "p99", "why");
  for (const json::value& value : servers.at("servers").as_array()) {
    const json::object& server = value.as_object();
    const auto time = [&](std::string_view key) {
      const std::uint64_t ms = number(server, key);
      return ms == 0 ? std::string("-") : fmt::format("{} ms", ms);
    };
    const json::value* backup = server.if_contains("backup");  // an older version does not say it
    std::string why = backup != nullptr && backup->as_bool() ? "backup" : "";
    if (const std::string said = text(server, "why"); !said.empty()) why += (why.empty() ? "" : ", ") + said;
    const std::string since = utc(server.at("since_ms").to_number<std::int64_t>());
    if (!since.empty()) why += (why.empty() ? "since " : ", since ") + since;
    table += fmt::format("{:<40} {:<8} {:>6} {:>11} {:>12} {:>9} {:>8} {:>8}  {}\n",
                         text(server, "upstream") + "/" + text(server, "address"), text(server, "state"),
                         number(server, "weight"), server.at("connections").to_number<std::int64_t>(),
                         number(server, "requests_total"), number(server, "failures_total"), time("response_p50_ms"),
                         time("response_p99_ms"), why);
  }
  return table;
}

std::string rollback_text(const json::object& rollback) {
  const std::uint64_t unknown = number(rollback, "unknown");
  return fmt::format("to baton {}{}", text(rollback, "version"),
                     unknown == 0 ? std::string(", with all connections")
                                  : fmt::format("; {} connections could not move and would be served to their end, at most "
                                                "for handoff.drain_timeout", unknown));
}

std::string upgrade_report(const json::object& upgrade) {
  const json::object& pause = upgrade.at("pause_us").as_object();
  std::string table;
  const std::string reason = lines(upgrade, "reason");
  const std::string result = text(upgrade, "result");
  add(table, "result", result + (reason.empty() ? "" : (result == "completed" ? ", but " : ": ") + reason));
  add(table, "generation", from_to(upgrade, "generation"));
  add(table, "PID", from_to(upgrade, "pid"));
  add(table, "version", from_to(upgrade, "version"));
  add(table, "duration", fmt::format("{} ms", number(upgrade, "duration_ms")));
  const json::value* canary = upgrade.if_contains("canary");
  if (canary != nullptr) add_canary(table, canary->as_object());
  add(table, "moved",
      std::to_string(number(upgrade, "moved_total")) + in_parentheses(upgrade.at("moved").as_object()) +
          fmt::format(", and {} idle upstream connections", number(upgrade, "upstream_idle_moved")));
  const json::value* came_back = upgrade.if_contains("came_back");
  if (came_back != nullptr && came_back->to_number<std::uint64_t>() != 0) {
    add(table, "came back",
        std::to_string(came_back->to_number<std::uint64_t>()) + ", idle upstream connections among them");
  }
  add(table, "taken back", std::to_string(number(upgrade, "taken_back")));
  add(table, "refused",
      std::to_string(number(upgrade, "refused")) + in_parentheses(upgrade.at("refused_by_reason").as_object()));
  add(table, "pause",
      fmt::format("p50 {}, p99 {}, max {}", milliseconds(number(pause, "p50")), milliseconds(number(pause, "p99")),
                  milliseconds(number(pause, "max"))));
  return table;
}

std::string canary_line(const json::object& event) {
  const json::object& canary = event.at("canary").as_object();
  const json::object& tried = canary.at("canary").as_object();
  const json::object& others = canary.at("others").as_object();
  return fmt::format("canary {}, {}, {} s left: {} requests, {} clients failed; others {}, {}", share_of(canary),
                     verdict_of(canary), (number(event, "left_ms") + 999) / 1000,
                     short_number(number(tried, "exchanges")), short_number(number(tried, "clients_failed")),
                     short_number(number(others, "exchanges")), short_number(number(others, "clients_failed")));
}

std::string progress_bar(std::uint64_t done, std::uint64_t of) {
  done = std::min(done, of);
  const double share = of == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(of);
  const auto filled = static_cast<std::size_t>(share * bar_width);
  return fmt::format("[{}{}] {} of {} connections have left", std::string(filled, '#'),
                     std::string(bar_width - filled, '-'), done, of);
}

}  // namespace baton::ctl
