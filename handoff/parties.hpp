// The two roles a server plays in a handover, both without fields. Every call comes from the thread that runs the
// conversation (predecessor.hpp, successor.hpp); the server passes it on to the thread that owns the connection.
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

// A listening socket and its name; "@" begins the names of sockets that are no listeners of the service.
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
  SecretBytes secrets;            // the same, and secret: ticket keys
  std::string configuration;      // the text it runs with, for a rollback
  int executable = -1;            // a descriptor of the running executable, or -1; stays the donor's
};
struct Inheritance {
  std::vector<InheritedSocket> sockets;
  std::string application;
  SecretBytes secrets;
  std::string configuration;
  UniqueFd executable;
  std::uint64_t generation = 0;   // the predecessor's, as the next two
  std::string version;
  std::vector<std::string> features;
  std::int64_t clock_offset_us = 0;   // our CLOCK_MONOTONIC minus the predecessor's; 0 in the same time namespace
};

// How much of a batch there is room for. A parcel's size is known only when it is frozen, so the last one of a batch
// may need more than is left: it goes in a later Offer, and alone if it is larger than any batch.
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
  std::vector<Parcel> parcels;    // may be empty: nothing can be frozen now
  bool finished = false;          // nothing more will come
};

// What a donor still has and expects to offer, besides what it has offered already.
struct Remaining {
  std::uint64_t connections = 0;
  std::uint64_t descriptors = 0;  // of these connections, and of what else will be offered
  bool operator==(const Remaining&) const = default;
};

// What stays with a donor when everything else has moved, and for how long at most.
struct LeftBehind {
  std::uint64_t connections = 0;
  std::chrono::milliseconds at_most{0};
};

// How a successor on probation has served so far.
struct Conduct {
  std::uint64_t accepted = 0;     // connections
  std::uint64_t served = 0;       // requests, tunnels: what the server counts
  std::uint64_t failed = 0;       // of those
  std::optional<std::string> failing;   // why it should give back what it has; nothing: so far so good
};

// The predecessor's server; also the successor's when it gives back what it has.
class Donor {
 public:
  virtual ~Donor() = default;

  virtual Estate estate() = 0;

  // Returns when no thread accepts on any listening socket and nothing that was accepted is without an owner.
  // `taken` are the addresses that the successor goes on with; the others are the donor's to empty and close.
  virtual void stop_accepting(const std::vector<std::string>& taken) = 0;
  virtual void accept_again() = 0;

  // The successor serves new connections, and is still to prove that it can; this comes several times a second.
  virtual void on_probation(const Conduct&) {}

  // The adopter keeps places for this. Asked when nothing is accepted any more, and about once a second after that.
  virtual Remaining remaining() { return {}; }

  // Freezes connections until `room` is used up; the last one may need more than is left. What no frame carries
  // (limits.hpp) is answered with `refused`. Does not wait for connections to become ready: `wake_descriptor` turns
  // readable when there may be more. A frozen connection is touched by nobody until `adopted`, `refused` or
  // `take_back`.
  virtual Batch freeze_next(const Room& room) = 0;
  virtual int wake_descriptor() = 0;

  // The successor owns these now: close the copies, wipe the secrets.
  virtual void adopted(std::span<const ParcelId> ids) = 0;
  // These are served here to their end and not offered again.
  virtual void refused(std::span<const ParcelId> ids) = 0;
  // These go on here as if nothing had been.
  virtual void take_back(std::span<const ParcelId> ids) = 0;

  // Of those that were refused, and those that could not even be offered. Asked once, after `resign`.
  virtual LeftBehind left_behind() { return {}; }

  // Everything is handed over: stop being the instance (release the lock). The bytes go to the successor with `Done`.
  virtual std::string resign() = 0;
  // The successor failed after `Done`: be the instance again. False: another process is.
  virtual bool reclaim() = 0;

  // A reason to call the upgrade off, asked before anything was adopted; `wake_descriptor` turns readable with it.
  virtual std::optional<std::string> called_off() { return std::nullopt; }
};

// The successor's answer for one parcel: nothing, or why it is refused.
using Verdict = std::optional<std::string>;

// The successor's server; also the predecessor's when the successor gives back, and then only for parcels.
class Adopter {
 public:
  virtual ~Adopter() = default;

  // Everything that can fail before service: configuration, threads, new addresses. Answers the addresses of the
  // sockets it takes. An error's text is what the operator of the predecessor reads.
  virtual Result<std::vector<std::string>> inherit(Inheritance inheritance) = 0;

  // So much is still to come, which must find room: newcomers get no place of it. Comes before `accept`, and again when
  // the donor has less; it counts nothing that was prepared. The adopter subtracts what it then prepares.
  virtual void expect(const Remaining&) {}

  // The predecessor accepts no more: begin.
  virtual void accept() = 0;

  // Does everything that can fail, for each parcel, and touches no socket. One verdict for each.
  virtual std::vector<Verdict> prepare(std::vector<ReceivedParcel> parcels) = 0;
  // They are ours: begin to read and write.
  virtual void start(std::span<const ParcelId> ids) = 0;
  // They never became ours: deregister, then close. Where `prepare` has thrown these are all that it was given. Never
  // shut a socket down here: the predecessor goes on with it.
  virtual void drop(std::span<const ParcelId> ids) = 0;

  // Be the instance: take the lock (waiting for it as long as the server's settings say), name us in the PID file,
  // answer on every path. `application` are the bytes of the predecessor's `resign`.
  virtual Result<void> take_over(const std::string& application, const Report& report) = 0;
};

}  // namespace baton::handoff
