// What this process uses of the machine.
#pragma once

#include <cstdint>

namespace baton::process {

struct Usage {
  double cpu_s = 0;  // of all its threads, in user and kernel mode
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_descriptors = 0;
  std::uint64_t descriptors_max = 0;
  std::uint64_t threads = 0;
};

// What cannot be found out is 0.
Usage usage();

}  // namespace baton::process
