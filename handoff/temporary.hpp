// Names beside a path, for what is made there whole and then takes the path's place by a rename.
#pragma once

#include <sys/types.h>

#include <string>

#include "handoff/result.hpp"
#include "handoff/unique_fd.hpp"

namespace baton::handoff {

// PATH.PID.RANDOM.tmp, with our PID: another name each time, so that no other process can create it first, neither to lead what
// is written elsewhere nor to be in the way.
std::string temporary_beside(const std::string& path);

// A new, empty file under such a name, open for writing. It never follows a link, and never opens what is there
// already.
struct TemporaryFile {
  UniqueFd descriptor;
  std::string path;
};
Result<TemporaryFile> make_temporary_beside(const std::string& path, unsigned mode);

// Removes what processes that were killed have left there: of the process `writer`, or of all (0). Only whoever
// holds the instance lock may ask for all.
void discard_temporaries_beside(const std::string& path, pid_t writer = 0);

}  // namespace baton::handoff
