// Stands between two real processes: started in the program's place, it starts the program and forwards each frame in
// both directions, with its descriptors. A file named `relay` beside it says what else it does:
//   record     writes each frame to a file named `recording` beside it
//   newer      each side sees a neighbour of a later version
//   older      each side sees a neighbour of an earlier version
//   before_tls the successor sees a predecessor that knows no TLS
//   plain      the successor does not know what any of our own features needs
//   demanding  WebSockets need a feature that the successor does not know
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

#include "handoff/records.hpp"
#include "neighbour.hpp"
#include "proxy/state/codec.hpp"
#include "recording.hpp"

namespace {

using namespace baton::handoff;
using baton::versions::From;

[[noreturn]] void die(const std::string& why) {
  std::cerr << "relay: " << why << std::endl;
  std::_Exit(3);
}

// The program itself, with our own arguments, as its predecessor would have started it.
Channel start_program(char** argv) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) die("no socket pair");
  const pid_t child = ::fork();
  if (child < 0) die("cannot fork");
  if (child == 0) {
    ::close(ends[0]);
    ::setenv("BATON_HANDOFF", std::to_string(ends[1]).c_str(), 1);
    ::execv(BATON_BINARY, argv);
    die("cannot start " BATON_BINARY);
  }
  ::close(ends[1]);
  return Channel(UniqueFd(ends[0]));
}

bool is_websocket(const std::string& payload) {
  const auto moved = baton::state::decode(payload, {}, 0);
  const auto* state = moved ? std::get_if<baton::state::ConnectionState>(&*moved) : nullptr;
  return state != nullptr && state->listener == "web" && std::holds_alternative<baton::state::Raw>(state->protocol);
}

template <class Condition>
std::string demanding(const std::string& record, Condition condition) {
  wire::Offer offer;
  if (!offer.ParseFromString(record)) die("an Offer that cannot be read");
  for (auto& parcel : *offer.mutable_parcels()) {
    if (condition(parcel)) parcel.add_required_features("time travel");
  }
  return offer.SerializeAsString();
}

std::string before_tls(const std::string& record) {
  wire::Hello hello;
  if (!hello.ParseFromString(record)) die("a Hello that cannot be read");
  hello.clear_features();
  return hello.SerializeAsString();
}

class Relay {
 public:
  Relay(Channel predecessor, Channel successor, const std::string& folder)
      : predecessor_(std::move(predecessor)), successor_(std::move(successor)) {
    std::ifstream(folder + "relay") >> mode_;
    if (mode_ == "record") recording_.open(folder + "recording");
  }

  // Runs until one side has ended its channel; the other's channel ends when this process does.
  void run() {
    for (;;) {
      const bool from_predecessor = pass_one(predecessor_, successor_, From::predecessor);
      const bool from_successor = pass_one(successor_, predecessor_, From::successor);
      if (from_predecessor || from_successor) continue;
      if (ended_) return;
      const int other = successor_.descriptor();
      predecessor_.wait({&other, 1}, no_deadline);
    }
  }

 private:
  // False: there is nothing to forward.
  bool pass_one(Channel& in, Channel& out, From from) {
    auto received = in.try_receive();
    if (!received) ended_ = true;
    if (!received || !*received) return false;
    Frame& frame = **received;
    if (frame.descriptors_lost != 0) die("too few descriptors are free here");
    std::vector<int> descriptors;
    for (const UniqueFd& descriptor : frame.descriptors) descriptors.push_back(descriptor.get());
    record(frame, from);
    std::string changed = change(frame, from);
    // The executable's descriptor is dropped together with the field that announces it.
    if (mode_ == "older" && frame.kind == Kind::inherit && was_executable(frame.record)) descriptors.pop_back();
    if (!out.send(frame.kind, changed, descriptors, frame.secrets, no_deadline)) ended_ = true;
    return true;
  }

  std::string change(const Frame& frame, From from) const {
    if (mode_ == "before_tls" && frame.kind == Kind::hello && from == From::predecessor) return before_tls(frame.record);
    if (mode_ == "newer") return baton::versions::as_newer(frame.kind, frame.record);
    if (mode_ == "older") return baton::versions::as_older(frame.kind, frame.record);
    if (mode_ == "demanding" && frame.kind == Kind::offer) {
      return demanding(frame.record, [](const auto& parcel) { return is_websocket(parcel.payload()); });
    }
    if (mode_ == "plain" && frame.kind == Kind::offer) {
      return demanding(frame.record, [](const auto& parcel) { return parcel.required_features_size() != 0; });
    }
    return frame.record;
  }

  static bool was_executable(const std::string& record) {
    wire::Inherit inherit;
    return inherit.ParseFromString(record) && inherit.executable();
  }

  void record(const Frame& frame, From from) {
    if (mode_ != "record") return;
    if (!frame.secrets.empty()) die("secrets are not recorded");
    recording_ << baton::versions::to_line({from, frame.kind, frame.descriptors.size(), frame.record}) << std::endl;
  }

  Channel predecessor_;
  Channel successor_;
  std::string mode_;
  std::ofstream recording_;
  bool ended_ = false;
};

}  // namespace

int main(int, char** argv) {
  const char* channel = std::getenv("BATON_HANDOFF");
  if (channel == nullptr) die("there is no BATON_HANDOFF");
  const std::string program = argv[0];
  Relay(Channel(UniqueFd(std::atoi(channel))), start_program(argv), program.substr(0, program.rfind('/') + 1)).run();
}
