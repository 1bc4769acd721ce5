#include "config/matching_paths.hpp"

#include <glob.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

namespace baton::config {
namespace {

// Why glob(3) has given up; it passes no context to its callback.
thread_local UnreadableFolder unreadable;

int on_unreadable(const char* folder, int error) {
  if (error == ENOENT || error == ENOTDIR) return 0;
  unreadable = {folder, error};
  return 1;
}

}  // namespace

bool is_pattern(std::string_view path) {
  return path.find_first_of("*?[") != std::string_view::npos;
}

std::expected<std::vector<std::string>, UnreadableFolder> matching_paths(const std::string& pattern) {
  glob_t found{};
  const std::unique_ptr<glob_t, decltype(&globfree)> owner(&found, &globfree);
  const int outcome = glob(pattern.c_str(), GLOB_NOSORT, on_unreadable, &found);
  if (outcome == GLOB_NOMATCH) return {};
  if (outcome == GLOB_ABORTED) return std::unexpected(std::exchange(unreadable, {}));
  if (outcome != 0) return std::unexpected(UnreadableFolder{});
  std::vector<std::string> paths(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  std::ranges::sort(paths);
  return paths;
}

}  // namespace baton::config
