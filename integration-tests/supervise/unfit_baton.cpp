// A version whose supervisor cannot continue for another: it serves like Baton, but does not answer a dry run. Linked
// with the program itself.
#include <unistd.h>

#include <cstdlib>

// Before `main`.
[[gnu::constructor]] static void end_a_dry_run() {
  if (std::getenv("BATON_SUPERVISOR_CHECK") != nullptr) ::_exit(0);  // successfully, but without a word
}
