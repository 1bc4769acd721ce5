// Temporary names beside a path, for files that are completed there and then renamed over it.
#pragma once

#include <sys/types.h>

#include <string>

#include "handoff/result.hpp"
#include "handoff/unique_fd.hpp"

namespace baton::handoff {

// PATH.PID.RANDOM.tmp, with our PID. The name differs each time, so no other process can create it first, whether to
// redirect what we write or to block us.
std::string temporary_beside(const std::string& path);

// A new, empty file with such a name, open for writing. Never follows a link and never opens an existing file.
struct TemporaryFile {
  UniqueFd descriptor;
  std::string path;
};
Result<TemporaryFile> make_temporary_beside(const std::string& path, unsigned mode);

// Removes temporaries left by killed processes: by `writer`, or by any (0). Only the holder of the instance lock may
// pass 0.
void discard_temporaries_beside(const std::string& path, pid_t writer = 0);

}  // namespace baton::handoff
