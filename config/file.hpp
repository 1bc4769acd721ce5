// Where a key was in a file, and a file that a key names.
#pragma once

#include <string>

namespace baton::config {

// Where a key was in a file. Line and column count from 1; line 0 means "not from a file" (a default).
struct Position {
  std::string file;
  int line = 0;
  int column = 0;
  bool operator==(const Position&) const = default;
};

// A file that a key names, not opened yet. An error on opening it is reported at `where`.
struct File {
  std::string path;  // absolute
  Position where;

  // Compares the file, not its position.
  bool operator==(const File& other) const { return path == other.path; }
};

}  // namespace baton::config
