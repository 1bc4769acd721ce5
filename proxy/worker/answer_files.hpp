// Reads the files that answers of our own consist of, and those of passwords.
#pragma once

#include "config/config.hpp"
#include "proxy/routing/gate.hpp"

namespace baton::proxy {

// A regular file of at most `config::answer_bytes_max`. Throws std::runtime_error that begins with the key's position.
state::SharedText read_answer_file(const config::File& file);

// An htpasswd file. Throws the same, with the line.
std::shared_ptr<const routing::Passwords> read_passwords(const config::File& file);

// All that the configuration names. Throws the same.
routing::Files read_answer_files(const config::Config& config);

}  // namespace baton::proxy
