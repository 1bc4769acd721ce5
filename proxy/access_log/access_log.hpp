// The access log: each worker collects lines and a separate thread writes them, so a full disk or a slow pipe never
// blocks the data path. Lines that do not fit meanwhile are dropped and counted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "config/config.hpp"

namespace baton::access_log {

class AccessLog {
 public:
  // To its file, standard output or syslog. Throws std::system_error if a file cannot be opened; a syslog that is not
  // there yet is tried again for each line.
  explicit AccessLog(const config::AccessLog& to);
  ~AccessLog();  // writes out what is waiting, within two seconds

  // Takes the lines and returns at once. From any thread.
  void write(std::string lines);
  // Opens the path again (SIGUSR1); on failure the old file stays in use. From any thread.
  void reopen();
  std::uint64_t lines_dropped() const;

 private:
  class Writer;
  std::unique_ptr<Writer> writer_;
};

}  // namespace baton::access_log
