// The admin interface: a small HTTP server on the main thread, apart from the data path.
//
//   GET, HEAD  /healthz  200 "ok"
//              /readyz   200 "ready", or 503 "draining"
//              /status   200 with status.hpp's JSON, or 503 if it does not come within the exchange limit
//              /metrics  the same numbers in Prometheus' text format
//   POST       /reload /stop /reopen-logs /drain, DELETE /drain: a reply, a text for people
//              /upgrade  the lines of upgrade_events.hpp as it goes on; {"binary": "/path"} names what to start
//              /rollback the same, back to what ran before
//
// Commands are for who can open a Unix socket, which has an owner and a mode. Over TCP each is a 403.
#pragma once

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "handoff/unique_fd.hpp"
#include "proxy/admin/status.hpp"

namespace baton::admin {

enum class Command { reload, drain, undo_drain, stop, reopen_logs };

// What came of a command: an HTTP status, and a text for people.
struct Reply {
  unsigned status = 200;
  std::string text;
};

// Takes it, in the io_context's thread; whoever asked may be gone.
using ReplySink = std::function<void(Reply)>;

struct UpgradeCommand {
  std::string binary;            // empty: what the server itself was started from
  bool rollback = false;         // to what ran before, as it was
};

// Takes the lines of an upgrade, in the io_context's thread; the last one ends the answer. Whoever asked may be gone.
using LineSink = std::function<void(std::string_view line, bool last)>;

// What the server behind it can tell and do. Called in the io_context's thread.
struct Source {
  std::function<bool()> ready;                                     // false while draining
  std::function<void(std::function<void(Status)>)> status;         // answers later, in the same thread
  std::function<void(Command, ReplySink)> command;                 // answers at once or later, in the same thread
  // A reply says why it does not begin; without one the lines come, perhaps at once.
  std::function<std::optional<Reply>(const UpgradeCommand& command, LineSink lines)> upgrade;
};

struct Limits {
  // At most, of each kind, Unix and TCP. One more takes the place of the one that has been without a whole request
  // longest; it waits only if all of them are being answered.
  std::size_t connections = 64;
  // For so long a request that has begun, or not even that, counts as here, and an answer that is not read as one that
  // is.
  std::chrono::milliseconds expected{1000};
  std::chrono::milliseconds idle{15'000};     // until the first byte of a request
  std::chrono::milliseconds exchange{5'000};  // from there the whole request; then each: status, response, close
  std::uint32_t head_bytes = 8 * 1024;        // 431
  std::uint64_t body_bytes = 16 * 1024;       // 413
};

class Admin {
 public:
  Admin(boost::asio::io_context& context, Source source, Limits limits = {});
  ~Admin();  // closes everything at once
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  // Serves on a listening socket, a Unix or a TCP one, which it owns from now on. `listener()` is its descriptor.
  void listen(handoff::UniqueFd socket);
  int listener() const;
  // Stops to accept; requests that are being answered are finished. The socket stays open: a successor may have it.
  // Further answers meanwhile, on connections that are open, are the last on theirs.
  void pause();
  void resume();
  // Of any client, Session::owes_answer(): to end now would break a promise.
  bool is_answering() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace baton::admin
