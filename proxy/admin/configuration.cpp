#include "proxy/admin/configuration.hpp"

#include <boost/json.hpp>

#include <algorithm>

#include "proxy/runtime/text.hpp"

namespace baton::admin {

namespace json = boost::json;

std::optional<ConfigurationCommand> read_configuration_command(std::string_view query) {
  ConfigurationCommand command;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view word = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    // Whoever misspells it must not change anything.
    if (word == "dry_run") {
      command.dry_run = true;
    } else if (word == "json") {
      command.json = true;
    } else {
      return std::nullopt;
    }
  }
  return command;
}

std::string configuration_text(bool done, const std::string& text, const std::vector<config::Change>& changes) {
  std::string whole = text;
  if (!done && changes.empty()) return whole;
  if (!whole.empty()) whole += "\n";
  return whole + config::text_of(changes);
}

std::string configuration_json(bool done, const std::string& text, const std::vector<config::Change>& changes) {
  json::array list;
  for (const config::Change& change : changes) {
    json::array keys;
    for (const std::string& key : change.keys) keys.push_back(json::string(runtime::valid_utf8(key)));
    list.push_back({{"what", config::name_of(change.what)},
                    {"name", runtime::valid_utf8(change.name)},
                    {"change", config::name_of(change.how)},
                    {"keys", std::move(keys)}});
  }
  return json::serialize(json::object{
      {"result", done ? "ok" : "failed"}, {"text", runtime::valid_utf8(text)}, {"changes", std::move(list)}});
}

}  // namespace baton::admin
