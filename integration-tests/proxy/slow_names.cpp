// Preloaded into Baton: a resolver that delays every look-up of "slow.test" until a byte is written into the FIFO that
// SLOW_NAMES names, and then answers 127.0.0.1. Likewise a disk: the file that SLOW_OPEN names is opened late, and the
// one that gets the name SLOW_RENAME, in any folder, gets it late. Without the FIFO, or with no byte from it, the disk
// answers at once.
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

int (*next_open())(const char*, int, ...) {
  static const auto next = reinterpret_cast<int (*)(const char*, int, ...)>(::dlsym(RTLD_NEXT, "open"));
  return next;
}

// Waits for the disk if `what` is the value of `variable`.
void wait_for_disk(const char* what, const char* variable) {
  const char* slow = std::getenv(variable);
  const char* fifo = std::getenv("SLOW_NAMES");
  if (slow == nullptr || fifo == nullptr || std::strcmp(what, slow) != 0) return;
  const int answer = next_open()(fifo, O_RDONLY | O_CLOEXEC);
  if (answer < 0) return;
  char byte;
  (void)!::read(answer, &byte, 1);
  ::close(answer);
}

}  // namespace

extern "C" int rename(const char* from, const char* to) noexcept {
  static const auto next = reinterpret_cast<int (*)(const char*, const char*)>(::dlsym(RTLD_NEXT, "rename"));
  const char* last_slash = std::strrchr(to, '/');
  wait_for_disk(last_slash == nullptr ? to : last_slash + 1, "SLOW_RENAME");
  return next(from, to);
}

extern "C" int open(const char* path, int flags, ...) {
  std::va_list more;
  va_start(more, flags);
  const int mode = va_arg(more, int);
  va_end(more);
  wait_for_disk(path, "SLOW_OPEN");
  return next_open()(path, flags, mode);
}

extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints, addrinfo** found) {
  static const auto next = reinterpret_cast<decltype(&getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  const char* fifo = std::getenv("SLOW_NAMES");
  if (name == nullptr || fifo == nullptr || std::strcmp(name, "slow.test") != 0)
    return next(name, service, hints, found);
  const int answer = ::open(fifo, O_RDONLY | O_CLOEXEC);
  char byte;
  const bool came = ::read(answer, &byte, 1) == 1;
  ::close(answer);
  return came ? next("127.0.0.1", service, hints, found) : EAI_FAIL;
}
