#include "proxy/admin/upgrade_command.hpp"

#include <fmt/format.h>
#include <boost/json.hpp>

#include <optional>
#include <string_view>

#include "config/canary_schema.hpp"
#include "config/text.hpp"

namespace baton::admin {

namespace json = boost::json;

namespace {

using Done = std::expected<void, std::string>;

constexpr std::string_view upgrade_form =
    R"(the body must be empty or {"binary": "/absolute/path", "from_file": true, "reload": true, )"
    R"("canary": {"share": "5%", "bake": "30s", "max": "5m"} or "off"}, all optional)";

Done read_binary(UpgradeCommand& command, const json::value& value) {
  const auto* path = value.if_string();
  if (path == nullptr || !path->starts_with('/') || path->find('\0') != json::string::npos) {
    return std::unexpected("`binary` must be the absolute path of a program");
  }
  command.binary = *path;
  return {};
}

Done read_flag(bool& flag, std::string_view key, const json::value& value) {
  if (!value.is_bool()) return std::unexpected(fmt::format("`{}` must be true or false", key));
  flag = value.get_bool();
  return {};
}

Done read_canary(UpgradeCommand& command, const json::value& value) {
  if (value == "off") {
    command.without_canary = true;
    return {};
  }
  const auto* object = value.if_object();
  if (object == nullptr) {
    return std::unexpected(R"(`canary` must be {"share": "5%", "bake": "30s", "max": "5m"} or "off")");
  }
  std::optional<std::string> share;
  std::optional<std::string> bake;
  std::optional<std::string> max;
  for (const auto& [key, text] : *object) {
    std::optional<std::string>* const member = key == "share"  ? &share
                                               : key == "bake" ? &bake
                                               : key == "max"  ? &max
                                                               : nullptr;
    if (member == nullptr) {
      return std::unexpected(
          fmt::format("unknown key {} in `canary` (expected: share, bake, max)", config::quote(key)));
    }
    if (!text.is_string()) {
      return std::unexpected(fmt::format("`canary.{}` must be text, as in \"{}\"", std::string_view(key),
                                         member == &share ? "5%" : "30s"));
    }
    *member = std::string(text.get_string());
  }
  if (!share) return std::unexpected("`share` is missing in `canary`");
  const auto canary = config::parse_canary(*share, bake, max);
  if (!canary) return std::unexpected(fmt::format("`canary.{}`: {}", canary.error().key, canary.error().text));
  command.canary = *canary;
  return {};
}

Done read_key(UpgradeCommand& command, std::string_view key, const json::value& value) {
  if (key == "binary") return read_binary(command, value);
  if (key == "from_file") return read_flag(command.from_file, key, value);
  if (key == "reload") return read_flag(command.reload, key, value);
  if (key == "canary") return read_canary(command, value);
  return std::unexpected(fmt::format("unknown key {}; {}", config::quote(key), upgrade_form));
}

}  // namespace

std::expected<UpgradeCommand, std::string> read_upgrade_command(const std::string& body) {
  UpgradeCommand command;
  if (body.empty()) return command;
  boost::system::error_code error;
  const json::value parsed = json::parse(body, error);
  const auto* object = error ? nullptr : parsed.if_object();
  if (object == nullptr) return std::unexpected(std::string(upgrade_form));
  for (const auto& [key, value] : *object) {
    if (auto done = read_key(command, key, value); !done) return std::unexpected(std::move(done.error()));
  }
  if (command.reload && (!command.binary.empty() || command.from_file)) {
    return std::unexpected("`reload` takes the running program and the configuration's file: leave out `" +
                           std::string(command.from_file ? "from_file" : "binary") + "`");
  }
  return command;
}

}  // namespace baton::admin
