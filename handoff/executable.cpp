#include "handoff/executable.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include <string>
#include <utility>

namespace baton::handoff {

UniqueFd own_executable() { return UniqueFd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)); }

UniqueFd keep_executable(UniqueFd executable) {
  struct stat file {};
  if (!executable || ::fstat(executable.get(), &file) != 0 || file.st_nlink == 0) return executable;
  UniqueFd copy(::memfd_create("baton", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!copy) return executable;
  off_t from = 0;
  while (from < file.st_size) {
    const auto left = static_cast<std::size_t>(file.st_size - from);
    if (::sendfile(copy.get(), executable.get(), &from, left) <= 0) return executable;
  }
  // A file that is open for writing cannot be executed.
  ::fchmod(copy.get(), 0500);
  ::fcntl(copy.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  UniqueFd readable(::open(("/proc/self/fd/" + std::to_string(copy.get())).c_str(), O_RDONLY | O_CLOEXEC));
  return readable ? std::move(readable) : std::move(executable);
}

}  // namespace baton::handoff
