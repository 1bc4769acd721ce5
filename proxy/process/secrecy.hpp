// Keys stay in this process.
#pragma once

namespace baton::process {

// From now on it leaves no core dump, and no debugger of the same user may look into it. Any thread, any number of times.
void keep_memory_private();

}  // namespace baton::process
