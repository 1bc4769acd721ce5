// Keeps keys inside this process.
#pragma once

namespace baton::process {

// From now on there are no core dumps, and no debugger of the same user can attach. Call from any thread, any number of
// times.
void keep_memory_private();

}  // namespace baton::process
