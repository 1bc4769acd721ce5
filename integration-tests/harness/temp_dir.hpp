// A directory per test, removed afterwards; and whole-file reads and writes for small files.
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

// Writes a temporary and renames it over the file: readers see the old content or the new, and a running program can be
// replaced.
void replace_file(const std::string& path, std::string_view content, bool executable = false);

}  // namespace baton::harness
