// The two roles a server plays in a handover, as pure interfaces. Every call comes from the thread that runs the
// conversation (predecessor.hpp, successor.hpp); the server forwards it to the thread that owns the connection.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "handoff/parcel.hpp"
#include "handoff/report.hpp"
#include "handoff/result.hpp"

namespace baton::handoff {

// A listening socket and its name. Names that begin with "@" are not listeners of the service.
struct OfferedSocket {
  std::string name;
  std::string address;
  int descriptor = -1;            // stays the donor's
};
struct InheritedSocket {
  std::string name;
  std::string address;
  UniqueFd descriptor;
};

struct Estate {
  std::vector<OfferedSocket> sockets;
  std::string application;        // the server's own bytes: counters, balancer state
  SecretBytes secrets;            // the server's own secret bytes: ticket keys
  std::string configuration;      // the text it runs with, for a rollback
  int executable = -1;            // a descriptor of the running executable, or -1; stays the donor's
  std::uint64_t heir = 0;         // InstanceLock::name_heir
};
struct Inheritance {
  std::vector<InheritedSocket> sockets;
  std::string application;
  SecretBytes secrets;
  std::string configuration;
  UniqueFd executable;
  std::uint64_t heir = 0;         // for InstanceLock::be_heir
  std::uint64_t generation = 0;   // this and the next two: the predecessor's
  std::string version;
  std::vector<std::string> features;
  std::int64_t clock_offset_us = 0;   // our CLOCK_MONOTONIC minus the predecessor's; 0 in the same time namespace
};

// The room left in a batch. A parcel's size is known only once it is frozen, so the last one of a batch may need more
// than is left: it then goes in a later Offer, alone if it is larger than any batch.
struct Room {
  std::size_t connections = 0;
  std::size_t descriptors = 0;
  std::size_t bytes = 0;  // payloads and secrets

  bool is_used_up() const { return connections == 0 || descriptors == 0 || bytes == 0; }
  bool fits(const Parcel& parcel) const {
    return connections != 0 && parcel.descriptors.size() <= descriptors && parcel.bytes() <= bytes;
  }
  void take(const Parcel& parcel) {
    --connections;
    descriptors -= std::min(descriptors, parcel.descriptors.size());
    bytes -= std::min(bytes, parcel.bytes());
  }
};

struct Batch {
  std::vector<Parcel> parcels;    // empty if nothing can be frozen now
  bool finished = false;          // nothing more will come
};

// What a donor still expects to offer, beyond what it has offered already.
struct Remaining {
  std::uint64_t connections = 0;
  std::uint64_t descriptors = 0;  // of these connections and of anything else to be offered
  bool operator==(const Remaining&) const = default;
};

// What stays with a donor when everything else has moved, and for how long at most.
struct LeftBehind {
  std::uint64_t connections = 0;
  std::chrono::milliseconds at_most{0};
};

// How a successor on probation, or a canary, has served so far.
struct Conduct {
  std::uint64_t accepted = 0;     // connections
  std::uint64_t served = 0;       // requests, tunnels: what the server counts
  std::uint64_t failed = 0;       // of those
  std::optional<std::string> failing;   // why it should give back what it has; nothing: all is well
  std::string application = {};         // of a canary: the server's own bytes, by which the donor judges it
  Remaining held = {};                  // of a canary: what it would give back now
};

// Played by the predecessor's server, and by the successor's when it gives back what it has.
class Donor {
 public:
  virtual ~Donor() = default;

  virtual Estate estate() = 0;

  // The conversation's channel and its spare, from before anything can move. -1 for the spare: it is not used any more;
  // for both: they may be closed.
  virtual void converses(int channel, int spare) { (void)channel, (void)spare; }

  // Returns when no thread accepts on any listening socket and every accepted connection has an owner. `taken` are the
  // addresses that the successor keeps; the donor must empty and close the others.
  virtual void stop_accepting(const std::vector<std::string>& taken) = 0;
  virtual void accept_again() = 0;

  // The successor serves new connections on probation, or a part of the clients as a canary; called several times a
  // second.
  virtual void on_probation(const Conduct&) {}

  // The successor is a canary: from now on `freeze_next` freezes connections of its clients only, and the donor accepts
  // on. Once the canary is promoted, `freeze_next` says `finished`; the next call is after `stop_accepting`, and then
  // all others move. `called_off` is asked meanwhile, too.
  virtual void begin_canary() {}
  // It is called back: freeze nothing more. `accept_again` follows.
  virtual void end_canary() {}
  // The canary is silent. If it is a child that has a keeper, kill it: then the keeper gives back what it had. False:
  // it may still serve what it has.
  virtual bool kill_canary() { return false; }

  // The adopter keeps places for this. Called once accepting has stopped, then about once a second.
  virtual Remaining remaining() { return {}; }

  // Freezes connections until `room` is used up; the last one may need more than is left. A parcel too large for a
  // frame (limits.hpp) is answered with `refused`. Does not wait for connections to become ready: `wake_descriptor`
  // turns readable when there may be more. Nothing may touch a frozen connection until `adopted`, `refused` or
  // `take_back`.
  virtual Batch freeze_next(const Room& room) = 0;
  virtual int wake_descriptor() = 0;

  // The successor owns these now: close the copies and wipe the secrets.
  virtual void adopted(std::span<const ParcelId> ids) = 0;
  // These are served here to their end and not offered again.
  virtual void refused(std::span<const ParcelId> ids) = 0;
  // These continue here as if they had never been frozen.
  virtual void take_back(std::span<const ParcelId> ids) = 0;

  // Counts refused connections and those that could not be offered. Called once, after `resign`.
  virtual LeftBehind left_behind() { return {}; }

  // Everything is handed over: stop being the instance (release the lock). The result goes to the successor with
  // `Done`.
  virtual std::string resign() = 0;
  // The successor failed after `Done`: become the instance again. False: another process is the instance.
  virtual bool reclaim() = 0;
  // Of a successor that has given everything back: what it has counted meanwhile goes to the predecessor with
  // `Returned`.
  virtual std::string counted() { return {}; }

  // A reason to call the upgrade off, asked before anything was adopted, and as long as the successor is a canary.
  // `wake_descriptor` turns readable with it.
  virtual std::optional<std::string> called_off() { return std::nullopt; }
};

// The adopter's answer for one parcel: nothing if it is taken, else why it is refused.
using Verdict = std::optional<std::string>;

// Played by the successor's server, and, for parcels only, by the predecessor's when the successor gives back.
class Adopter {
 public:
  virtual ~Adopter() = default;

  // Does everything that can fail before serving: configuration, threads, new addresses. Returns the addresses of the
  // sockets it takes. The predecessor's operator reads the text of an error.
  virtual Result<std::vector<std::string>> inherit(Inheritance inheritance) = 0;

  // As for a Donor.
  virtual void converses(int channel, int spare) { (void)channel, (void)spare; }

  // Keep room for this much, which is still to come: new connections must not take these places. Called before
  // `accept`, and again when the donor has less. Excludes what was already prepared; the adopter subtracts what it then
  // prepares.
  virtual void expect(const Remaining&) {}

  // The predecessor has stopped accepting: begin.
  virtual void accept() = 0;
  // We are a canary, and the predecessor accepts on: begin on the sockets that it does not have.
  virtual void accept_on_own() {}

  // Does everything that can fail for each parcel, without touching a socket. Returns one verdict per parcel.
  virtual std::vector<Verdict> prepare(std::vector<ReceivedParcel> parcels) = 0;
  // They are ours: begin to read and write.
  virtual void start(std::span<const ParcelId> ids) = 0;
  // They never became ours: deregister, then close. If `prepare` threw, these are all of its parcels. Never shut a
  // socket down here: the predecessor continues to use it.
  virtual void drop(std::span<const ParcelId> ids) = 0;

  // Become the instance: take the lock (waiting for it as long as the server's settings say), write the PID file,
  // answer on every path. `application` is the result of the predecessor's `resign`.
  virtual Result<void> take_over(const std::string& application, const Report& report) = 0;

  // The successor has given everything back. `application` is the result of its `counted`, or empty.
  virtual void returned(const std::string&) {}
};

}  // namespace baton::handoff
