// A snapshot of files' attributes, to see later whether they have changed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace baton::process {

struct FileStamp {
  std::string path;
  dev_t device = 0;                    // all 0: there is no such file
  ino_t inode = 0;
  off_t bytes = 0;
  std::int64_t modified_ns = 0;
  mode_t mode = 0;  // who may read it
  uid_t owner = 0;
  gid_t group = 0;
  bool operator==(const FileStamp&) const = default;
};

// Symbolic links are followed, so a file that is replaced by changing a link counts as changed.
std::vector<FileStamp> stamps_of(const std::vector<std::string>& paths);

}  // namespace baton::process
