// The test as the predecessor of a real successor: it holds the lock, the listening socket and live clients, and can
// fail, lie, or give up and take back at any step.
#pragma once

#include <signal.h>

#include <list>
#include <memory>
#include <string>

#include "handoff/instance.hpp"
#include "handoff/records.hpp"
#include "harness/client.hpp"
#include "harness/origin.hpp"
#include "harness/process.hpp"
#include "harness/settings.hpp"
#include "harness/temp_dir.hpp"

namespace baton::harness {

// A client and our side of its connection, as a predecessor has it.
struct LiveClient {
  LiveClient(const Address& to, int listener, std::uint64_t its_id);

  Client client;
  Stream served;  // the accepted socket
  std::uint64_t id;

  // Only we have touched the connection: the client gets what we write and nothing else, and we read what it sends.
  void expect_untouched();
};

class ScriptedPredecessor {
 public:
  explicit ScriptedPredecessor(const Origin& origin, std::size_t clients = 2);

  // ── The conversation; each sends our frame, and awaits the answer if the successor is not stopped ──────────────────
  void send_hello();
  void send_inherit();
  void send_listen();
  void send_offer();  // of all clients, idle
  void send_done();
  void await(handoff::Kind kind);  // a frame from the successor
  // Up to the named step and its answer: "Hello", "Inherit", "Listen", "Offer".
  void converse_through(const std::string& step);

  // ── Failing ───────────────────────────────────────────────────────────────────────────────────────────────────────
  void die();      // the channel ends, the lock is free, our copies are closed
  void give_up();  // like a living predecessor: it keeps the lock
  void write_raw(std::string_view bytes);

  // ── The successor ─────────────────────────────────────────────────────────────────────────────────────────────────
  void stop_successor();  // SIGSTOP, and waits until it has stopped
  void continue_successor();
  Process& successor() { return *successor_; }
  // It exits with 1 and has left the instance's paths alone.
  void expect_it_ends_and_leaves_us_alone();
  // It is the instance: named in the PID file, serving new connections.
  void expect_it_is_the_instance();

  std::list<LiveClient>& clients() { return clients_; }
  const Address& address() const { return settings_.binds.front(); }

 private:
  void start_successor();

  TempDir directory_;
  Settings settings_;
  Address listening_at_;
  Fd listener_;
  handoff::InstanceLock lock_;
  std::list<LiveClient> clients_;
  std::unique_ptr<handoff::Channel> channel_;
  std::unique_ptr<Process> successor_;
};

}  // namespace baton::harness
