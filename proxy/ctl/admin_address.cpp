#include "proxy/ctl/admin_address.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
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
        "XDG_RUNTIME_DIR is not set and no configuration file names an admin interface; name it with --admin");
  }
  return config::Address{.unix_path = std::string(home) + "/baton/admin.sock"};
}

bool is_unix(const config::Address& address) { return !address.unix_path.empty(); }

// The texts of `admin.bind`; none: the key is missing.
std::expected<std::vector<std::string>, std::string> binds_in_file(const std::string& path, config::Environment environment) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::ostringstream yaml;
  if (in && in.peek() != std::ifstream::traits_type::eof()) yaml << in.rdbuf();
  if (!in.is_open() || in.bad() || yaml.bad()) {
    return std::unexpected(path + ": cannot be read: " + std::strerror(errno != 0 ? errno : EIO));
  }
  const config::Tree tree = config::parse_tree(yaml.str(), path);
  if (!tree.root) {
    return std::unexpected((tree.problems.empty() ? path + ": is not YAML" : tree.problems.front().text()) +
                           "; name the admin interface with --admin");
  }
  const config::Node* admin = tree.root->find("admin");
  const config::Node* bind = admin != nullptr ? admin->find("bind") : nullptr;
  std::vector<std::string> texts;
  if (bind == nullptr || std::holds_alternative<std::monostate>(bind->value)) return texts;
  const auto* list = std::get_if<config::Node::List>(&bind->value);
  for (const config::Node& item : list != nullptr ? std::span(*list) : std::span(bind, 1)) {
    const auto* written = std::get_if<std::string>(&item.value);
    if (written == nullptr) return std::unexpected(path + ": `admin.bind` is not an address; name it with --admin");
    auto text = config::expand(*written, environment);
    if (!text) return std::unexpected(path + ": `admin.bind` " + text.error() + "; name it with --admin");
    texts.push_back(*std::move(text));
  }
  return texts;
}

}  // namespace

std::expected<std::vector<config::Address>, std::string> find_admin(const Whereabouts& whereabouts,
                                                                    config::Environment environment) {
  std::vector<std::string> texts{"auto"};
  std::string where = "--admin";
  const bool is_given = !whereabouts.config.empty();
  const std::string& path = is_given ? whereabouts.config : whereabouts.default_config;
  if (!whereabouts.admin.empty()) {
    texts = {whereabouts.admin};
  } else if (is_given || ::access(path.c_str(), F_OK) == 0) {
    auto binds = binds_in_file(path, environment);
    if (!binds) return std::unexpected(binds.error());
    if (!binds->empty()) texts = *std::move(binds);
    where = path + ": `admin.bind`";
  }
  std::vector<config::Address> addresses;
  for (const std::string& text : texts) {
    auto address = text == "auto" && whereabouts.admin.empty() ? in_runtime_directory(environment) : parsed(text, where);
    if (!address) return std::unexpected(address.error());
    if (address->unix_path.empty() && address->port == 0) continue;
    addresses.push_back(*std::move(address));
  }
  if (!addresses.empty()) return addresses;
  return std::unexpected(where + ": the kernel chose the port of `" + texts.front() +
                         "`; name the address with --admin, as the log has it");
}

std::vector<config::Address> for_commands(const std::vector<config::Address>& addresses) {
  std::vector<config::Address> chosen;
  std::ranges::copy_if(addresses, std::back_inserter(chosen), is_unix);
  if (chosen.empty()) chosen.push_back(addresses.front());
  return chosen;
}

std::vector<config::Address> for_questions(const std::vector<config::Address>& addresses) {
  std::vector<config::Address> in_order;
  std::ranges::copy_if(addresses, std::back_inserter(in_order), is_unix);
  std::ranges::remove_copy_if(addresses, std::back_inserter(in_order), is_unix);
  return in_order;
}

}  // namespace baton::ctl
