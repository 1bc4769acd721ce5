#include "scale/board.hpp"

#include <sys/mman.h>
#include <sys/resource.h>

#include <new>

#include "harness/deadline.hpp"

namespace baton::harness {

Board& new_board() {
  void* page = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) throw Failure("no shared memory");
  return *new (page) Board;
}

std::size_t raised_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace baton::harness
