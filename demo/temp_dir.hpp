// A private directory, mode 0700, removed with its contents by the destructor.
#pragma once

#include <filesystem>
#include <string>

namespace baton::demo {

class TempDir {
 public:
  // Under $TMPDIR, or under /tmp if that is unset or too long for Unix sockets inside it.
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
