#include "proxy/ctl/admin_address.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <variant>

#include "config/address.hpp"
#include "config/environment.hpp"
#include "config/tree.hpp"

namespace baton::ctl {

namespace {

std::expected<config::Address, std::string> parsed(const std::string& text, const std::string& where) {
  auto address = config::parse_address(text);
  if (!address) return std::unexpected(where + ": " + address.error());
  return *address;
}

std::expected<config::Address, std::string> in_runtime_directory(config::Environment environment) {
  if (::geteuid() == 0) return config::Address{.unix_path = "/run/baton/admin.sock"};
  const char* home = environment("XDG_RUNTIME_DIR");
  if (home == nullptr || *home != '/') {
    return std::unexpected(
        "XDG_RUNTIME_DIR is not set and no configuration file names an admin interface; say where it is with --admin");
  }
  return config::Address{.unix_path = std::string(home) + "/baton/admin.sock"};
}

// The text of `admin.bind`; empty: not written, or `auto`.
std::expected<std::string, std::string> bind_in_file(const std::string& path, config::Environment environment) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::ostringstream yaml;
  if (in && in.peek() != std::ifstream::traits_type::eof()) yaml << in.rdbuf();
  if (!in.is_open() || in.bad() || yaml.bad()) {
    return std::unexpected(path + ": cannot be read: " + std::strerror(errno != 0 ? errno : EIO));
  }
  const config::Tree tree = config::parse_tree(yaml.str(), path);
  if (!tree.root) {
    return std::unexpected((tree.problems.empty() ? path + ": is no YAML" : tree.problems.front().text()) +
                           "; so the admin interface cannot be found: say where it is with --admin");
  }
  const config::Node* admin = tree.root->find("admin");
  const config::Node* bind = admin != nullptr ? admin->find("bind") : nullptr;
  if (bind == nullptr || std::holds_alternative<std::monostate>(bind->value)) return "";
  const auto* written = std::get_if<std::string>(&bind->value);
  if (written == nullptr) return std::unexpected(path + ": `admin.bind` is no address; say where it is with --admin");
  auto text = config::expand(*written, environment);
  if (!text) return std::unexpected(path + ": `admin.bind` " + text.error() + "; say where it is with --admin");
  return *text == "auto" ? "" : *text;
}

}  // namespace

std::expected<config::Address, std::string> find_admin(const Whereabouts& whereabouts,
                                                       config::Environment environment) {
  if (!whereabouts.admin.empty()) return parsed(whereabouts.admin, "--admin");
  const bool is_given = !whereabouts.config.empty();
  const std::string& path = is_given ? whereabouts.config : whereabouts.default_config;
  if (is_given || ::access(path.c_str(), F_OK) == 0) {
    const auto bind = bind_in_file(path, environment);
    if (!bind) return std::unexpected(bind.error());
    if (!bind->empty()) return parsed(*bind, path + ": `admin.bind`");
  }
  return in_runtime_directory(environment);
}

}  // namespace baton::ctl
