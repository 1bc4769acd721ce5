// Scripted peers around a real worker, for tests: everything in one thread and with real sockets, driven event by
// event, so that a connection can be moved after any of them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "handoff/unique_fd.hpp"
#include "proxy/worker/testing/loopback_wire.hpp"
#include "proxy/worker/worker.hpp"

namespace baton::proxy {

// A peer waits until it has received `until` (after what it waited for before), then sends, then may end its side.
struct Line {
  std::string until;
  std::string send;
  bool then_end = false;
  bool bluntly = false;                    // it ends without the close_notify of TLS
  KeyUpdate keys = KeyUpdate::none;        // before it sends, if it speaks TLS 1.3
  bool then_reset = false;
};
using Lines = std::vector<Line>;

struct Play {
  std::string name;
  Lines client;
  Lines origin;
  std::size_t client_reads = 1 << 20;      // at most this many bytes for each event of the worker
  std::size_t origin_reads = 1 << 20;
  std::size_t client_writes = 1 << 20;
  bool closes = false;                     // the proxy ends the connection by itself
  bool breaks = false;                     // it resets the client's connection
  bool breaks_origin = false;              // it resets the origin's
  bool raw = false;                        // the listener is a tcp one
};

// What each side received.
struct Witnessed {
  std::string client;
  std::string origin;
  bool client_saw_end = false;
  bool client_saw_good_end = false;        // with the close_notify of TLS
  bool client_was_reset = false;
  bool origin_saw_end = false;
  bool origin_was_reset = false;
  bool finished = false;
  bool operator==(const Witnessed&) const = default;
};

// In the kernel, for the bytes of each connection: little, so that they wait in the proxy's own buffers; or so much
// that a read finds many at once.
enum class KernelRoom { scarce, ample };

// TCP on a free port of 127.0.0.1.
class TestListener {
 public:
  explicit TestListener(KernelRoom room = KernelRoom::scarce);
  const state::SocketAddress& address() const { return address_; }
  handoff::UniqueFd connect() const;       // non-blocking afterwards
  handoff::UniqueFd accept() const;        // empty: no connection is waiting
  int descriptor() const { return socket_.get(); }

 private:
  KernelRoom room_;
  handoff::UniqueFd socket_;
  state::SocketAddress address_;
};

// Where plays are staged.
struct Scene {
  explicit Scene(Legs with = {}, KernelRoom room = KernelRoom::scarce)
      : legs(with), front(room), origin(room), settings(loopback_settings(origin.address(), legs)) {}
  const Legs legs;
  const TestListener front;
  const TestListener origin;
  std::shared_ptr<const Settings> settings;
  keeper::Roster* roster = nullptr;  // of the workers, if a keeper may look
};

// One of the two workers of a move, as if in a process of its own.
struct Process {
  struct SharedOf : Shared {
    SharedOf(std::uint64_t number, keeper::Roster* entries) {
      generation = number;
      roster = entries;
    }
  };
  Process(std::shared_ptr<const Settings> settings, std::uint64_t generation, keeper::Roster* roster = nullptr)
      : shared(generation, roster), worker(std::move(settings), shared, nullptr, 0) {}
  SharedOf shared;
  Worker worker;
};

enum class Outcome {
  adopted,
  adopted_and_copies_kept,       // the old worker never learns of it, so it never closes its copies
  taken_back,
  taken_back_and_copies_kept,    // the new worker hangs, so it never closes its copies
};

// Freezes what is in `from`, wherever it is, and gives it to `to`; or, taken back, lets it continue where it was.
// Descriptors are copied and states encoded, as when they go through a channel.
void move_all(Worker& from, Worker& to, Outcome outcome);

// Adopts a copy of one parcel. False: it was refused.
bool adopt_copy(Worker& worker, const handoff::Parcel& parcel);

// The same, and `from` is told.
bool move_one(Worker& from, Worker& to, const handoff::Parcel& parcel);

// Like `move_all`, for workers that run in threads.
void move_between_threads(Worker& from, Worker& to, Outcome outcome);

// Makes a descriptor blocking.
void make_waiting(int descriptor);
bool wait_readable(int descriptor, int timeout_ms);

class Stage {
 public:
  Stage(const Play& play, const Scene& scene);

  // Runs the play to its end; `after_event` is called after each event of a worker with their number so far.
  Witnessed run(const std::function<void(std::size_t events, Stage&)>& after_event);

  // Moves the connection from the worker that serves to the other one. False: the connection could not move.
  bool move(Outcome outcome);
  // Nothing runs the worker that serves any more, as if its process were dead; the other one serves instead.
  Worker& lose_serving();
  std::size_t idle_upstreams() const;

  Worker& serving() { return *serving_; }
  const std::shared_ptr<const Settings>& settings() const { return scene_.settings; }
  // The sum of the counts of both processes.
  std::uint64_t connections() const { return first_.shared.connections + second_.shared.connections; }
  // How the worker that serves handles one event.
  std::function<bool(runtime::Loop&, int timeout_ms)> run_one = [](runtime::Loop& loop, int timeout_ms) {
    return loop.run_one(timeout_ms);
  };

 private:
  struct Peer {
    Wire wire;
    std::size_t line = 0;
    std::size_t searched = 0;              // of what was received
  };

  // True: bytes moved.
  bool turn_client();
  bool turn_origin();
  bool turn(Peer& peer, const Lines& lines, std::string& received, std::size_t reads_max, std::size_t writes_max);
  static void next_line(Peer& peer, const Lines& lines, const std::string& received);
  bool finished() const;

  const Play& play_;
  const Scene& scene_;
  Process first_;
  Process second_;
  Worker* serving_ = &first_.worker;
  Worker* other_ = &second_.worker;
  Peer client_;
  Peer origin_;                            // its wire is the one that was used last
  std::vector<Wire> origin_wires_;         // the others
  Witnessed witnessed_;
};

}  // namespace baton::proxy
