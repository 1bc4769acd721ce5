#include "proxy/process/secrecy.hpp"

#include <sys/prctl.h>

namespace baton::process {

void keep_memory_private() { ::prctl(PR_SET_DUMPABLE, 0); }

}  // namespace baton::process
