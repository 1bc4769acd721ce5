#include "proxy/process/paths.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace baton::process {

namespace {

// The directory, created and writable; or nothing, with the reason.
std::optional<std::string> runtime_directory(std::string& why_not) {
  std::string directory = "/run/baton";
  if (::geteuid() != 0) {
    const char* home = std::getenv("XDG_RUNTIME_DIR");
    if (home == nullptr || *home != '/') {
      why_not = "XDG_RUNTIME_DIR is not set";
      return std::nullopt;
    }
    directory = std::string(home) + "/baton";
  }
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    why_not = "cannot make " + directory + ": " + std::strerror(errno);
    return std::nullopt;
  }
  if (::access(directory.c_str(), W_OK | X_OK) != 0) {
    why_not = "cannot write to " + directory + ": " + std::strerror(errno);
    return std::nullopt;
  }
  return directory;
}

}  // namespace

Paths resolve_paths(const config::Config& config) {
  Paths paths;
  paths.handoff_socket = config.handoff.socket;
  paths.pid_file = config.pid_file;
  const bool admin_is_automatic = std::ranges::find(config.admin, std::optional<config::Address>()) != config.admin.end();
  std::optional<config::Address> automatic_admin;
  if (!paths.handoff_socket || !paths.pid_file || admin_is_automatic) {
    std::string why_not;
    if (const auto directory = runtime_directory(why_not)) {
      if (!paths.handoff_socket) paths.handoff_socket = *directory + "/handoff.sock";
      if (!paths.pid_file) paths.pid_file = *directory + "/baton.pid";
      automatic_admin.emplace();
      automatic_admin->unix_path = *directory + "/admin.sock";
    } else {
      std::string missing;
      const auto add = [&](bool is_missing, const char* what) {
        if (is_missing) missing += (missing.empty() ? "" : ", ") + std::string(what);
      };
      add(!paths.handoff_socket, "handoff socket");
      add(admin_is_automatic, config.admin.size() == 1 ? "admin interface" : "admin socket");
      add(!paths.pid_file, "PID file");
      paths.warning = why_not + "; so there is no " + missing +
                      " (set handoff.socket, admin.bind and pid_file to have them; SIGUSR2 works without)";
    }
  }
  for (const auto& written : config.admin) {
    const auto& address = written ? written : automatic_admin;
    // The automatic address may also be listed explicitly.
    if (address && std::ranges::find(paths.admin, *address) == paths.admin.end()) paths.admin.push_back(*address);
  }
  if (paths.handoff_socket) paths.lock = *paths.handoff_socket + ".lock";
  return paths;
}

}  // namespace baton::process
