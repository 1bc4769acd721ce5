// The admin interface: a small HTTP server on the main thread, apart from the data path.
//
//   GET, HEAD  /         200 with the page: page.hpp; 503 as for /status
//              /healthz  200 "ok"
//              /readyz   200 "ready", or 503 "draining"
//              /status   200 with status.hpp's JSON, or 503 if it does not come within the exchange limit
//              /metrics  the same numbers in Prometheus' text format
//              /servers  200 with servers.hpp's JSON, or 503 as above
//              /routes   200 with routes.hpp's JSON, or 503 as above
//              /history  200 with history.hpp's JSON
//              /events   200 with the events of event_streams.hpp, without end; 503 if there are too many such clients
//              /config   200 with the configuration in force as YAML; a command as below
//   PUT        /config   a reply: the body takes the place of the file; ?dry_run only says what that would change
//   POST       /reload /stop /reopen-logs /drain /maintenance: a reply, as text for people
//   DELETE     /drain /maintenance: the same
//   POST       /upgrade  the lines of upgrade_events.hpp during the upgrade; the body, if any, says to what and how:
//                        upgrade_command.hpp
//              /promote  the same of an upgrade that is a canary, which goes on at once
//              /rollback the same, back to the program that ran before
//              /server   a reply; the body is a command of servers.hpp
//
// Commands are for clients that can open a Unix socket, which has an owner and a mode. Over TCP each gets 403, or, if
// the configuration has a token, 401 unless it comes with that.
#pragma once

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "handoff/unique_fd.hpp"
#include "proxy/admin/configuration.hpp"
#include "proxy/admin/event_streams.hpp"
#include "proxy/admin/status.hpp"

namespace baton::admin {

enum class Command { reload, drain, undo_drain, maintenance, end_maintenance, stop, reopen_logs };

// The outcome of a command: an HTTP status and a text, for people unless a program asked for JSON.
struct Reply {
  unsigned status = 200;
  std::string text;
  bool is_json = false;
};

// Takes the reply, in the io_context's thread; the client may be gone.
using ReplySink = std::function<void(Reply)>;

struct UpgradeCommand {
  // What is asked for: a successor, its promotion while it is a canary, or the program that ran before, unchanged.
  enum class What { upgrade, promote, rollback };
  What what = What::upgrade;
  std::string binary;            // empty: what the server itself was started from
  bool from_file = false;        // leave an applied configuration for the file's
  bool reload = false;           // the running program itself, with the configuration from its file
  // Nothing: as `handoff.canary` says.
  std::optional<config::Canary> canary;
  bool without_canary = false;  // whatever that says
};

// Takes the lines of an upgrade, in the io_context's thread; the last one ends the answer. The client may be gone.
using LineSink = std::function<void(std::string_view line, bool last)>;

// What the server behind it can report and do. Called in the io_context's thread.
struct Source {
  std::function<bool()> ready;                                     // false while draining
  std::function<void(std::function<void(Status)>)> status;         // answers later, in the same thread
  std::function<void(Command, ReplySink)> command;                 // answers at once or later, in the same thread
  // A reply says why the upgrade does not begin; otherwise the lines follow, perhaps at once.
  std::function<std::optional<Reply>(const UpgradeCommand& command, LineSink lines)> upgrade;
  std::function<Reply(const ServerCommand&)> server;
  std::function<std::string()> configuration;                      // the one in force, as YAML
  std::function<void(ConfigurationCommand, ReplySink)> configure;  // answers as `command` does
  std::function<std::string()> token;                              // for commands over TCP; empty: they are refused
  std::function<std::string()> history;                            // as JSON, one line
  EventStreams* events = nullptr;                                  // outlives the Admin
};

struct Limits {
  // The most connections of each kind, Unix and TCP. A new one replaces the connection that has been without a whole
  // request longest; it waits only if all of them are being answered.
  std::size_t connections = 64;
  // For this long a request that has begun, or is only expected, counts as received, and an unread answer as being
  // read.
  std::chrono::milliseconds expected{1000};
  std::chrono::milliseconds idle{15'000};     // until the first byte of a request
  std::chrono::milliseconds exchange{5'000};  // from then the whole request; then each of status, response, close
  std::uint32_t head_bytes = 8 * 1024;        // more is a 431
  std::uint64_t body_bytes = 16 * 1024;       // more is a 413
  std::uint64_t configuration_bytes = config::written_bytes_max;  // the same of a PUT that may command
};

class Admin {
 public:
  Admin(boost::asio::io_context& context, Source source, Limits limits = {});
  ~Admin();  // closes everything at once
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  // Serves on a listening Unix or TCP socket, which it owns from now on. `listener()` is its descriptor.
  void listen(handoff::UniqueFd socket);
  int listener() const;
  // Stops accepting, and finishes requests being answered. The socket stays open: a successor may have it. Further
  // answers on open connections are the last on theirs.
  void pause();
  void resume();
  // Whether any client's Session::owes_answer(): ending now would break a promise.
  bool is_answering() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace baton::admin
