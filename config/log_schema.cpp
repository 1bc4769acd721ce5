#include "config/log_schema.hpp"

#include <fmt/format.h>

#include <string>

namespace baton::config {
namespace {

void read_access_path(Reader& reader, const Node& node, AccessLog& access) {
  if (auto text = reader.text(node)) access.path = *std::move(text);
}

constexpr Key<AccessLog> access_log_keys[] = {{"path", read_access_path},
                                              {"format", read_choice<&AccessLog::format, access_formats>}};
std::string access_log_of(std::string_view text) {
  const bool is_path = text == "-" || text.starts_with('/');
  return fmt::format("{{ path: \"{}\" }}", is_path ? text : "");
}

constexpr Section<AccessLog> access_log_section{"log.access", "in `access`", access_log_keys, access_log_of};

void read_access(Reader& reader, const Node& node, Log& log) {
  AccessLog access;
  read_section(reader, node, access_log_section, access);
  if (!access.path.empty()) log.access = std::move(access);
}

constexpr Key<Log> log_keys[] = {{"level", read_choice<&Log::level, log_levels>}, {"access", read_access}};
constexpr Section<Log> log_section{"log", "in `log`", log_keys};

}  // namespace

void read_log(Reader& reader, const Node& node, Log& log) {
  read_section(reader, node, log_section, log);
}

void add_log_keys(std::vector<KnownKey>& known) {
  add_keys(known, log_section);
  add_keys(known, access_log_section);
}

}  // namespace baton::config
