#include "proxy/tls/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "handoff/unique_fd.hpp"

namespace baton::tls {

std::string complaint(const config::File& file, const std::string& why) {
  const std::string place =
      file.where.line == 0 ? "" : fmt::format("{}:{}:{}: ", file.where.file, file.where.line, file.where.column);
  return fmt::format("{}{}: {}", place, file.path, why);
}

void refuse(const config::File& file, const std::string& why) {
  throw std::runtime_error(complaint(file, why));
}

handoff::SecretBytes read_file(const config::File& file, std::size_t bytes_max) {
  const handoff::UniqueFd descriptor(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status{};
  const bool is_socket = !descriptor && errno == ENXIO;
  if (!is_socket && (!descriptor || ::fstat(descriptor.get(), &status) != 0)) refuse(file, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) refuse(file, std::strerror(EISDIR));
  if (!S_ISREG(status.st_mode)) refuse(file, "not a regular file; it cannot come from a pipe or a device");
  if (static_cast<std::size_t>(status.st_size) > bytes_max) {
    refuse(file, fmt::format("is larger than {} MiB", bytes_max >> 20));
  }
  handoff::SecretBytes bytes(static_cast<std::size_t>(status.st_size));
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::read(descriptor.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse(file, std::strerror(errno));
    if (got == 0) refuse(file, "it shrank while it was read");
    filled += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace baton::tls
