// Preloaded into Baton: a resolver that delays every look-up of "slow.test" until a byte is written into the FIFO that
// SLOW_NAMES names, and then answers 127.0.0.1. Likewise a disk, for the file that SLOW_OPEN names; without the FIFO,
// or with no byte from it, it answers at once.
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdlib>
#include <cstring>

extern "C" int open(const char* path, int flags, ...) {
  static const auto next = reinterpret_cast<int (*)(const char*, int, ...)>(::dlsym(RTLD_NEXT, "open"));
  std::va_list more;
  va_start(more, flags);
  const int mode = va_arg(more, int);
  va_end(more);
  const char* slow = std::getenv("SLOW_OPEN");
  const char* fifo = std::getenv("SLOW_NAMES");
  if (slow != nullptr && fifo != nullptr && std::strcmp(path, slow) == 0) {
    const int answer = next(fifo, O_RDONLY | O_CLOEXEC);
    char byte;
    if (answer >= 0) (void)!::read(answer, &byte, 1);
    if (answer >= 0) ::close(answer);
  }
  return next(path, flags, mode);
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
