#include "config/log_schema.hpp"

#include "config/address.hpp"
#include "config/names.hpp"
#include "config/scalars.hpp"
#include "config/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>

namespace baton::config {
namespace {

template <class Value, std::size_t size>
std::optional<Value> value_of(std::string_view name, const Name<Value> (&names)[size]) {
  const auto* const found = std::ranges::find(names, name, &Name<Value>::text);
  return found != std::end(names) ? std::optional(found->value) : std::nullopt;
}

void read_access_path(Reader& reader, const Node& node, AccessLog& access) {
  if (auto text = reader.text(node)) access.path = *std::move(text);
}

void read_access_syslog(Reader& reader, const Node& node, AccessLog& access) {
  const auto text = reader.text(node);
  if (!text || text->empty()) return;
  auto address = parse_address(*text, AddressUse::connect);
  if (!address) return reader.refuse(node, address.error());
  if (!address->srv.empty() || (address->unix_path.empty() && !is_ip_address(address->host))) {
    return reader.refuse(node, quote(*text) + " is neither like 192.0.2.7:514 nor like unix:/dev/log");
  }
  access.syslog = *std::move(address);
}

// A text with a placeholder, or the name of a format.
void read_access_format(Reader& reader, const Node& node, AccessLog& access) {
  const auto* text = std::get_if<std::string>(&node.value);
  if (text == nullptr || text->find('{') == std::string::npos || text->starts_with("${")) {
    return read_choice<&AccessLog::format, access_formats>(reader, node, access);
  }
  const auto expanded = reader.text(node);
  if (!expanded) return;
  auto parsed = Template::parse(*expanded, TextFor::access_log);
  if (!parsed) return reader.refuse(node, parsed.error());
  access.format = AccessFormat::text;
  access.text = *std::move(parsed);
}

constexpr Key<AccessLog> access_log_keys[] = {
    {"path", read_access_path}, {"syslog", read_access_syslog}, {"format", read_access_format}};
std::string access_log_of(std::string_view text) {
  const bool is_path = text == "-" || text.starts_with('/');
  return fmt::format("{{ path: \"{}\" }}", is_path ? text : "");
}

constexpr Section<AccessLog> access_log_section{"log.access", "in `access`", access_log_keys, access_log_of};

void read_access(Reader& reader, const Node& node, Log& log) {
  AccessLog access;
  read_section(reader, node, access_log_section, access);
  if (!access.path.empty() && access.syslog) {
    reader.refuse(node, "either `path` or `syslog`: the log goes to one place");
  }
  if (!access.path.empty() || access.syslog) log.access = std::move(access);
}

void read_level(Reader& reader, const Node& node, Log& log) {
  const auto name = reader.text(node);
  if (!name) return;
  if (const auto level = log_level_of(*name)) {
    log.level = *level;
  } else {
    read_choice<&Log::level, log_levels>(reader, node, log);  // says what is wrong
  }
}

constexpr Key<Log> log_keys[] = {
    {"level", read_level}, {"format", read_choice<&Log::format, log_formats>}, {"access", read_access}};
constexpr Section<Log> log_section{"log", "in `log`", log_keys};

}  // namespace

// `true`, `false` or a percentage with up to two decimals.
void read_share_logged(Reader& reader, const Node& node, Route& route) {
  const auto* text = std::get_if<std::string>(&node.value);
  if (text == nullptr || !text->ends_with('%')) {
    bool is_logged = true;
    if (const auto chosen = reader.choice(node, flags)) is_logged = *chosen;
    route.access_log = is_logged ? access_log_all : 0;
    return;
  }
  reader.assign(route.access_log, node, parse_share(*text, {0, access_log_all}));
}

std::string share_logged_text(std::uint16_t share) {
  if (share == 0 || share == access_log_all) return share == 0 ? "false" : "true";
  return share_text(share);
}

std::optional<LogLevel> log_level_of(std::string_view name) {
  return value_of(name == "warning" ? "warn" : name, log_levels);
}

std::optional<LogFormat> log_format_of(std::string_view name) {
  return value_of(name, log_formats);
}

void read_log(Reader& reader, const Node& node, Log& log) {
  read_section(reader, node, log_section, log);
}

void add_log_keys(std::vector<KnownKey>& known) {
  add_keys(known, log_section);
  add_keys(known, access_log_section);
}

}  // namespace baton::config
