// A directory of its own for each test, gone afterwards; and small whole-file reads and writes.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace baton::harness {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string path() const { return path_.string(); }
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// The whole content; empty when there is no such file.
std::string read_file(const std::string& path);

// Writes beside the file and renames over it: a reader sees the old content or the new, also of a running program.
void replace_file(const std::string& path, std::string_view content, bool executable = false);

}  // namespace baton::harness
