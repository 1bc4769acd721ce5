// Preloaded into Baton: allocations fail as the file that SCARCITY names says.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "harness/shared_memory.hpp"
#include "memory/scarcity.hpp"

using baton::harness::ScarceIn;
using baton::harness::Scarcity;

extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t many, std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
}

namespace {

Scarcity* scarcity = nullptr;
std::atomic<bool> has_lock = false;

__attribute__((constructor)) void read_scarcity() {
  scarcity = baton::harness::shared_by_test<Scarcity>("SCARCITY");
}

ScarceIn this_thread() {
  if (::gettid() == ::getpid()) return ScarceIn::main_thread;
  char name[16] = "";
  ::prctl(PR_GET_NAME, name);
  if (std::strncmp(name, "worker", 6) == 0) return ScarceIn::workers;
  return std::strcmp(name, "baton") == 0 ? ScarceIn::conversation : ScarceIn::nothing;
}

bool fails() {
  if (scarcity == nullptr || scarcity->in == ScarceIn::nothing) return false;
  if ((scarcity->pid != ::getpid()) != scarcity->is_of_others) return false;
  if (scarcity->begins_with_lock && !has_lock) return false;
  if (this_thread() != scarcity->in) return false;
  if (++scarcity->count != scarcity->failing) return false;
  errno = ENOMEM;
  return true;
}

}  // namespace

extern "C" void* malloc(std::size_t bytes) {
  return fails() ? nullptr : __libc_malloc(bytes);
}
extern "C" void* calloc(std::size_t many, std::size_t bytes) {
  return fails() ? nullptr : __libc_calloc(many, bytes);
}
extern "C" void* realloc(void* memory, std::size_t bytes) {
  return fails() ? nullptr : __libc_realloc(memory, bytes);
}

extern "C" int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  *memory = fails() ? nullptr : __libc_memalign(alignment, bytes);
  return *memory != nullptr ? 0 : ENOMEM;
}
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return fails() ? nullptr : __libc_memalign(alignment, bytes);
}

extern "C" int flock(int file, int operation) {
  static const auto next = reinterpret_cast<decltype(&flock)>(::dlsym(RTLD_NEXT, "flock"));
  const int result = next(file, operation);
  if (result == 0 && (operation & LOCK_EX) != 0) has_lock = true;
  return result;
}
