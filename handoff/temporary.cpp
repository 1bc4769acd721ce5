#include "handoff/temporary.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>

namespace baton::handoff {

namespace {

constexpr std::string_view extension = ".tmp";
constexpr std::size_t random_digits = 8;

bool consists_of(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

// NAME.PID.RANDOM.tmp. Earlier versions left the random part out.
bool is_temporary_of(std::string_view entry, std::string_view name, pid_t writer) {
  if (!entry.starts_with(name) || !entry.ends_with(extension)) return false;
  entry.remove_prefix(name.size());
  if (entry.size() <= extension.size() || entry.front() != '.') return false;
  entry = entry.substr(1, entry.size() - 1 - extension.size());
  const std::string_view pid = entry.substr(0, entry.find('.'));
  if (!consists_of(pid, "0123456789") || (writer != 0 && pid != std::to_string(writer))) return false;
  if (pid.size() == entry.size()) return true;
  const std::string_view random = entry.substr(pid.size() + 1);
  return random.size() == random_digits && consists_of(random, "0123456789abcdef");
}

}  // namespace

std::string temporary_beside(const std::string& path) {
  std::uint32_t number = 0;
  while (::getrandom(&number, sizeof number, 0) != sizeof number) {
  }
  char digits[random_digits + 1];
  std::snprintf(digits, sizeof digits, "%08x", number);
  return path + "." + std::to_string(::getpid()) + "." + digits + std::string(extension);
}

Result<TemporaryFile> make_temporary_beside(const std::string& path, unsigned mode) {
  for (;;) {
    const std::string temporary = temporary_beside(path);
    UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (file) return TemporaryFile{std::move(file), temporary};
    if (errno != EEXIST) return fail(Fault::system, temporary + ": " + std::strerror(errno));
  }
}

void discard_temporaries_beside(const std::string& path, pid_t writer) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(folder.c_str()), ::closedir);
  if (!entries) return;
  while (const dirent* entry = ::readdir(entries.get())) {
    if (is_temporary_of(entry->d_name, name, writer)) ::unlinkat(::dirfd(entries.get()), entry->d_name, 0);
  }
}

}  // namespace baton::handoff
