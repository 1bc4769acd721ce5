// The access log: each worker collects lines and a separate thread writes them, so a full disk or a slow pipe never
// blocks the data path. Lines that do not fit meanwhile are dropped and counted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "proxy/state/state.hpp"

namespace baton::runtime {

enum class AccessFormat { combined, json };

// Appends one line for an exchange that has ended. Text from a client is escaped, so it is always one line.
// `upstream`: the name of the upstream that it was last sent to; empty: it was sent to none.
// combined: `ADDRESS - - [22/Nov/2026:09:21:34 +0000] "REQUEST LINE" STATUS BYTES "REFERER" "USER AGENT"`, as nginx.
void append_access_line(AccessFormat format, const state::ConnectionState& connection, const state::Exchange& exchange,
                        std::string_view upstream, std::int64_t now_ms, std::string& lines);

class AccessLog {
 public:
  // "-" is standard output. Throws std::system_error if the file cannot be opened.
  explicit AccessLog(const std::string& path);
  ~AccessLog();                    // writes out what is waiting, within two seconds

  // Takes the lines and returns at once. From any thread.
  void write(std::string lines);
  // Opens the path again (SIGUSR1); on failure the old file stays in use. From any thread.
  void reopen();
  std::uint64_t lines_dropped() const;

 private:
  class Writer;
  std::unique_ptr<Writer> writer_;
};

}  // namespace baton::runtime
