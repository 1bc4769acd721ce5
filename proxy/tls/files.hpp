// Reads files that the configuration names; errors give the place where it names them.
#pragma once

#include <cstddef>
#include <string>

#include "config/config.hpp"
#include "handoff/secret_bytes.hpp"

namespace baton::tls {

// "FILE:LINE:COLUMN: /path: why", with the position of the key.
std::string complaint(const config::File& file, const std::string& why);
// Throws that as std::runtime_error.
[[noreturn]] void refuse(const config::File& file, const std::string& why);

// Reads the whole file, which must be a regular one, or a symbolic link to one: opening anything else might block
// forever, and reading it might never end. Throws as above. The content may be a key, so no other copy of it remains.
handoff::SecretBytes read_file(const config::File& file, std::size_t bytes_max = 16 << 20);

}  // namespace baton::tls
