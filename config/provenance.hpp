// Where a configuration in force comes from. It is the first line of a configuration that one process hands over to
// another, so that it stays with its text whatever way that takes: an upgrade, a rollback or a crash.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace baton::config {

struct Provenance {
  bool is_applied = false;  // over the admin interface; otherwise it was read from the file
  std::int64_t at_ms = 0;   // when it was applied or read, since 1970
  bool operator==(const Provenance&) const = default;
};

// A comment, with its line's end.
std::string provenance_line(const Provenance& provenance);

// Removes that line. Nothing: there is none, and `text` stays as it is.
std::optional<Provenance> take_provenance(std::string& text);

// The same without removing it.
std::optional<Provenance> provenance_of(const std::string& text);

}  // namespace baton::config
