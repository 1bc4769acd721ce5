#include "proxy/process/file_stamps.hpp"

#include <sys/stat.h>

namespace baton::process {

std::vector<FileStamp> stamps_of(const std::vector<std::string>& paths) {
  std::vector<FileStamp> stamps;
  for (const std::string& path : paths) {
    FileStamp& stamp = stamps.emplace_back(path);
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) continue;
    stamp = {path,
             status.st_dev,
             status.st_ino,
             status.st_size,
             std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec,
             status.st_mode,
             status.st_uid,
             status.st_gid};
  }
  return stamps;
}

}  // namespace baton::process
