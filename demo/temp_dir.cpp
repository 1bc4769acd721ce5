#include "demo/temp_dir.hpp"

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace baton::demo {
namespace {
// A Unix socket's path has at most 107 bytes; this leaves room for our own names in it.
constexpr std::size_t parent_bytes_max = 64;
}  // namespace

TempDir::TempDir() {
  const char* parent = std::getenv("TMPDIR");
  std::string path = parent != nullptr && *parent == '/' ? parent : "/tmp";
  if (path.size() > parent_bytes_max) path = "/tmp";
  path += "/baton-demo-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), "cannot make a directory " + path);
  }
  path_ = path;
}

TempDir::~TempDir() {
  std::error_code ignored;  // a directory that cannot be removed stays; there is no one to report it to
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace baton::demo
