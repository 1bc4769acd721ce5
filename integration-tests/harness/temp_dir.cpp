#include "harness/temp_dir.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "harness/deadline.hpp"

namespace baton::harness {

namespace fs = std::filesystem;

// Always under /tmp: a Unix socket's path is limited to about a hundred bytes.
TempDir::TempDir() {
  std::string name = "/tmp/baton-test-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw Failure("cannot make a directory under /tmp");
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void replace_file(const std::string& path, std::string_view content, bool executable) {
  const std::string beside = path + ".new";
  {
    std::ofstream out(beside, std::ios::binary | std::ios::trunc);
    out << content;
    if (!out.flush()) throw Failure("cannot write " + beside);
  }
  if (executable) fs::permissions(beside, fs::perms::owner_all);
  fs::rename(beside, path);
}

}  // namespace baton::harness
