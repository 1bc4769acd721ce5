// Files that the configuration names: read whole, and errors that say where they are named.
#pragma once

#include <string>

#include "config/config.hpp"
#include "handoff/secret_bytes.hpp"

namespace baton::tls {

// Throws std::runtime_error: "FILE:LINE:COLUMN: /path: why", the place being that of the key.
[[noreturn]] void refuse(const config::File& file, const std::string& why);

// Throws as above. What is read may be a key, so no copy of it stays anywhere.
handoff::SecretBytes read_file(const config::File& file);

}  // namespace baton::tls
