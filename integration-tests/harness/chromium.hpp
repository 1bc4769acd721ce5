// Where Chromium is.
#pragma once

#include <string>

namespace baton::harness {

// How Debian calls it, and others. Empty: it is not installed.
std::string chromium();

// Ubuntu has it only as a snap, which tests do not install. Debian's package comes with scripts/test.
bool chromium_may_be_missing();

}  // namespace baton::harness
