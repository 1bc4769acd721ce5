#include "proxy/process/paths.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace baton::process {

namespace {

// The directory, made and writable; or nothing, with the reason.
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
  paths.admin = config.admin;
  if (!paths.handoff_socket || !paths.pid_file || !paths.admin) {
    std::string why_not;
    if (const auto directory = runtime_directory(why_not)) {
      if (!paths.handoff_socket) paths.handoff_socket = *directory + "/handoff.sock";
      if (!paths.pid_file) paths.pid_file = *directory + "/baton.pid";
      if (!paths.admin) {
        paths.admin.emplace();
        paths.admin->unix_path = *directory + "/admin.sock";
      }
    } else {
      std::string missing;
      const auto add = [&](bool is_missing, const char* what) {
        if (is_missing) missing += (missing.empty() ? "" : ", ") + std::string(what);
      };
      add(!paths.handoff_socket, "handoff socket");
      add(!paths.admin, "admin interface");
      add(!paths.pid_file, "PID file");
      paths.warning = why_not + "; so there is no " + missing +
                      " (set handoff.socket, admin.bind and pid_file to have them; SIGUSR2 works without)";
    }
  }
  if (paths.handoff_socket) paths.lock = *paths.handoff_socket + ".lock";
  return paths;
}

}  // namespace baton::process
