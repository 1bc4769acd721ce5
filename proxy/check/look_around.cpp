#include "proxy/check/look_around.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <optional>
#include <set>
#include <tuple>

#include "config/file_order.hpp"
#include "config/text.hpp"
#include "proxy/check/addresses.hpp"
#include "proxy/check/certificates.hpp"
#include "proxy/check/names.hpp"
#include "proxy/http1/head.hpp"
#include "proxy/process/paths.hpp"
#include "proxy/routing/route_table.hpp"
#include "proxy/worker/descriptors.hpp"
#include "proxy/worker/server_names.hpp"

namespace baton::check {

namespace {

// What prevents us from creating files in the folder of `path`.
std::optional<std::string> unusable_folder(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  if (::faccessat(AT_FDCWD, folder.c_str(), F_OK, AT_EACCESS) != 0) {
    return fmt::format("the folder {} cannot be reached: {}", folder, std::strerror(errno));
  }
  if (!std::filesystem::is_directory(folder)) return folder + " is not a folder";
  if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    return fmt::format("the folder {} cannot be written by user {}: {}", folder, ::geteuid(), std::strerror(errno));
  }
  return std::nullopt;
}

std::optional<std::string> unusable_log(const std::string& path) {
  if (path == "-" || ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0) {
    return std::filesystem::is_directory(path) ? std::optional(path + " is a folder") : std::nullopt;
  }
  if (errno != ENOENT)
    return fmt::format("{} cannot be written by user {}: {}", path, ::geteuid(), std::strerror(errno));
  return unusable_folder(path);
}

class Findings {
 public:
  void add(const config::Position& where, const std::string& key, const std::optional<std::string>& what) {
    if (what) problems_.push_back({where, key + ": " + *what});
  }
  config::Problems in_order(const std::vector<std::string>& files) {
    config::sort(problems_, files);
    return std::move(problems_);
  }

 private:
  config::Problems problems_;
};

void check_paths(Findings& findings, const config::Config& config) {
  const auto folder = [&](const config::Position& where, const char* key, const std::optional<std::string>& path) {
    if (path) findings.add(where, key, unusable_folder(*path));
  };
  folder(config.places.handoff_socket, "`handoff.socket`", config.handoff.socket);
  folder(config.places.pid_file, "`pid_file`", config.pid_file);
  if (config.log.access && !config.log.access->syslog)
    findings.add(config.places.access_log, "`log.access.path`", unusable_log(config.log.access->path));
}

// The running instance's paths, without creating the runtime directory: if it is missing, no instance uses it.
process::Paths paths_of(const config::Config& config) {
  const char* home = std::getenv("XDG_RUNTIME_DIR");
  const std::string directory = ::geteuid() == 0 ? "/run/baton" : home == nullptr ? "" : std::string(home) + "/baton";
  if (std::filesystem::exists(directory)) return process::resolve_paths(config);
  process::Paths paths;
  paths.handoff_socket = config.handoff.socket;
  for (const auto& admin : config.admin) {
    if (admin) paths.admin.push_back(*admin);
  }
  return paths;
}

struct Use {
  const config::Address* address;
  std::string key;
  bool listens;
};

std::vector<Use> uses_of(const config::Config& config) {
  std::vector<Use> uses;
  for (const auto& listener : config.listeners) {
    for (const auto& bind : listener.bind) uses.push_back({&bind, "`bind`", true});
  }
  for (const auto& admin : config.admin) {
    if (admin) uses.push_back({&*admin, "`admin.bind`", true});
  }
  for (const auto& upstream : config.upstreams) {
    for (const auto& server : upstream.servers) {
      if (!proxy::recurring_question(upstream, server)) uses.push_back({&server.address, "`address`", false});
    }
  }
  return uses;
}

// Asked as the proxy will ask.
void check_recurring_names(Findings& findings, const config::Config& config, std::chrono::milliseconds limit) {
  std::vector<process::Question> questions;
  for (const auto& upstream : config.upstreams) {
    for (const auto& server : upstream.servers) {
      if (auto question = proxy::recurring_question(upstream, server)) questions.push_back(*std::move(question));
    }
  }
  const std::vector<process::Answer> answers = process::ask(questions, limit);
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const config::Address& address = questions[i].address;
    if (answers[i].failure.empty()) continue;
    findings.add(address.where, "`address`",
                 fmt::format("`{}` cannot be looked up: {}", address.text(), answers[i].failure));
  }
}

}  // namespace

namespace {

// Routes that are never taken, and conditions that no request meets.
void check_routes(Findings& findings, const config::Config& config) {
  const routing::RouteTable table(config);
  for (const auto& [route, by] : table.shadowed(config)) {
    findings.add(route->where, config::quote(route->name),
                 fmt::format("it is never taken: {} in {} takes all of its requests", config::quote(by->name),
                             config::other_place(by->where, route->where)));
  }
  for (const config::Route& route : config.routes) {
    for (const config::ValueCondition& header : route.match.headers) {
      if (http1::field_name(header.name) != http1::FieldName::client_identity) continue;
      findings.add(route.where, config::quote(header.name),
                   "any client can send it, so no route sees it; `client` is for addresses");
    }
  }
}

}  // namespace

config::Problems look_around(const config::Config& config, const Options& options) {
  Findings findings;
  check_paths(findings, config);
  check_routes(findings, config);
  findings.add(config.places.connections, "`limits.connections`",
               proxy::too_many_connections(config, proxy::plan_descriptors(config, proxy::open_files_max())));
  const std::vector<Use> uses = uses_of(config);

  std::set<std::string> hosts;
  for (const Use& use : uses) {
    if (use.address->unix_path.empty() && !use.address->host.empty()) hosts.insert(use.address->host);
  }
  const auto unknown = look_up_all(hosts, options.names_limit, options.waiting);
  check_recurring_names(findings, config, options.names_limit);
  const Occupants occupants(paths_of(config));
  for (const Use& use : uses) {
    const config::Address& address = *use.address;
    if (const auto found = unknown.find(address.host); address.unix_path.empty() && found != unknown.end()) {
      findings.add(address.where, use.key, found->second);
      continue;  // there is nothing to bind
    }
    if (!address.unix_path.empty() && use.listens) {
      if (const auto folder = unusable_folder(address.unix_path)) {
        findings.add(address.where, use.key, folder);
        continue;
      }
    }
    if (use.listens) findings.add(address.where, use.key, occupants.in_the_way_of(address));
  }
  for (const auto& [folder, what] : folders_without_certificate(config)) {
    findings.add(folder.where, "`" + folder.path + "`", what);
  }
  for (const auto& [file, what] : dated_certificates(config)) findings.add(file.where, "`" + file.path + "`", what);
  return findings.in_order(config.places.files);
}

}  // namespace baton::check
