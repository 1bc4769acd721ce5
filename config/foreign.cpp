#include "config/foreign.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace baton::config {
namespace {

struct Program {
  std::string_view name;
  std::string_view page;
};
constexpr Program nginx{"nginx", "docs/coming-from-nginx.md"};
constexpr Program haproxy{"HAProxy", "docs/coming-from-haproxy.md"};
constexpr Program caddy{"Caddy", "docs/coming-from-caddy.md"};

// Before `{`, or at the beginning of a line that ends with `;`.
constexpr std::string_view nginx_blocks[] = {"http",     "events", "server", "stream", "upstream",
                                             "location", "map",    "geo",    "types",  "split_clients"};
constexpr std::string_view nginx_directives[] = {"listen",      "server_name", "proxy_pass", "worker_processes",
                                                 "load_module", "include",     "user",       "pid",
                                                 "error_log",   "log_format",  "access_log", "limit_req_zone"};
constexpr std::string_view haproxy_sections[] = {"global", "defaults", "frontend", "backend", "listen", "traces"};
// With a name behind them.
constexpr std::string_view haproxy_named_sections[] = {"resolvers",   "peers",       "userlist", "mailers",
                                                       "cache",       "program",     "ring",     "http-errors",
                                                       "log-forward", "log-profile", "fcgi-app", "crt-store"};
constexpr std::string_view caddy_directives[] = {"reverse_proxy", "file_server", "respond",
                                                 "encode",        "handle",      "handle_path"};

template <std::size_t size>
bool is_one_of(std::string_view word, const std::string_view (&words)[size]) {
  return std::ranges::find(words, word) != std::end(words);
}

// `[section]` or `[[section]]`.
bool is_toml_section(std::string_view line) {
  if (!line.starts_with('[') || !line.ends_with(']')) return false;
  const std::size_t begin = std::min(line.find_first_not_of('['), line.size());
  const std::string_view name = line.substr(begin, line.find(']') - begin);
  const bool is_double = begin == 2 && line.ends_with("]]");
  return !name.empty() && line.size() == name.size() + (is_double ? 4 : 2) &&
         name.find_first_of(" \t,:{}[]\"'") == std::string_view::npos;
}

std::string instead_of(const Program& program) {
  return fmt::format("this is a configuration of {}, but Baton reads its own YAML; {} shows how to translate it",
                     program.name, program.page);
}

bool is_caddy_json(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos && text[begin] == '{' && text.find("\"apps\"") != std::string_view::npos;
}

// `line` has no comment and no surrounding blanks; `indented` is its indentation.
const Program* written_for(std::string_view line, bool indented) {
  const std::string_view word = line.substr(0, line.find_first_of(" \t{;"));
  const std::string_view rest = line.substr(word.size());
  const bool ends_statement = line.ends_with(';') || line.ends_with('}');
  if (is_one_of(word, nginx_blocks) && rest.find('{') != std::string_view::npos) return &nginx;
  if (is_one_of(word, nginx_directives) && ends_statement) return &nginx;
  if (!indented && is_one_of(word, haproxy_sections) && line.find(':') == std::string_view::npos) return &haproxy;
  const bool is_one_word = word.size() == line.size();
  if (!indented && is_one_of(word, haproxy_named_sections) && !is_one_word &&
      line.find(':') == std::string_view::npos) {
    return &haproxy;
  }
  if (line == "file_server") return &caddy;
  if (is_one_of(word, caddy_directives) && !is_one_word && !ends_statement) return &caddy;
  return nullptr;
}

}  // namespace

std::optional<Problem> recognise(std::string_view text, const std::string& name) {
  if (is_caddy_json(text)) return Problem{{name, 1, 1}, instead_of(caddy)};
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, line.find('#'));
    const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
    line.remove_prefix(begin);
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    if (line.empty()) continue;
    if (const Program* program = written_for(line, begin > 0)) {
      return Problem{{name, number, static_cast<int>(begin) + 1}, instead_of(*program)};
    }
    if (begin == 0 && is_toml_section(line)) {
      return Problem{{name, number, 1}, "this is TOML, but Baton reads YAML; docs/configuration.md shows every key"};
    }
  }
  return std::nullopt;
}

}  // namespace baton::config
