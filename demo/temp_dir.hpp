// A directory of our own, mode 0700, that goes with everything in it when the value does.
#pragma once

#include <filesystem>
#include <string>

namespace baton::demo {

class TempDir {
 public:
  // Under $TMPDIR, or under /tmp where that is unset or too long for the Unix sockets that will stand in it.
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace baton::demo
