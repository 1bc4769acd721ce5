// Preloaded into Baton: a resolver that delays every look-up of "slow.test" until a byte is written into the FIFO that
// SLOW_NAMES names, and then answers 127.0.0.1.
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

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
