// `baton demo` is another program, baton-demo, which knows Baton only from outside.
#pragma once

#include <span>
#include <string>

namespace baton {

// Replaces this process by baton-demo with the given options; it tests the executable that runs now. baton-demo is
// looked for beside that executable, then in ../libexec/baton/. Returns only when that fails: what an operator can do.
std::string become_demo(std::span<const std::string> options);

}  // namespace baton
