// A recorded successor, started in the program's place: it answers with the frames of the file named `recording` beside
// it. Only what depends on the place and time is replaced: the PID, the addresses in Ready (found by the listener's
// name), and the numbers of the connections in Adopted, whose order and distribution over batches vary between runs.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <vector>

#include "handoff/records.hpp"
#include "recording.hpp"

namespace {

using namespace baton::handoff;
using baton::versions::From;
using baton::versions::RecordedFrame;

[[noreturn]] void die(const std::string& why) {
  std::cerr << "replaying successor: " << why << std::endl;
  std::_Exit(3);
}

template <class Record>
Record parsed(const std::string& bytes) {
  Record record;
  if (!record.ParseFromString(bytes)) die("a record that cannot be read");
  return record;
}

class ReplayingSuccessor {
 public:
  ReplayingSuccessor(UniqueFd socket, std::vector<RecordedFrame> recording)
      : channel_(std::move(socket)), recording_(std::move(recording)) {}

  void run() {
    next(Kind::hello);
    auto hello = parsed<wire::Hello>(recorded(From::successor, Kind::hello).record);
    hello.set_pid(::getpid());
    answer(Kind::hello, hello);
    answer_inherit();
    next(Kind::listen);
    answer(Kind::listening, parsed<wire::Listening>(recorded(From::successor, Kind::listening).record));
    Frame frame = next();
    for (; frame.kind == Kind::offer; frame = next()) answer_offer(frame);
    if (frame.kind != Kind::done) die(std::string("Done was expected, not ") + kind_name(frame.kind));
    answer(Kind::bye, parsed<wire::Bye>(recorded(From::successor, Kind::bye).record));
    while (channel_.receive(no_deadline)) {
    }
  }

 private:
  const RecordedFrame& recorded(From from, Kind kind) const {
    for (const RecordedFrame& frame : recording_) {
      if (frame.from == from && frame.kind == kind) return frame;
    }
    die(std::string("the recording has no ") + kind_name(kind));
  }

  Frame next() {
    auto frame = channel_.receive(no_deadline);
    if (!frame) die(frame.error().text);
    return std::move(*frame);
  }
  Frame next(Kind kind) {
    Frame frame = next();
    if (frame.kind != kind) die(std::string(kind_name(kind)) + " was expected, not " + kind_name(frame.kind));
    return frame;
  }

  void answer(Kind kind, const google::protobuf::MessageLite& record) {
    if (!send_record(channel_, kind, record, no_deadline)) die("the predecessor has ended the channel");
  }

  // The recorded addresses belong to the recorded listeners, which have the same names as today's.
  void answer_inherit() {
    std::map<std::string, std::string> name_then, address_now;
    const auto then = parsed<wire::Inherit>(recorded(From::predecessor, Kind::inherit).record);
    for (const auto& socket : then.sockets()) name_then[socket.address()] = socket.name();
    for (bool last = false; !last;) {
      const auto inherit = parsed<wire::Inherit>(next(Kind::inherit).record);
      for (const auto& socket : inherit.sockets()) address_now[socket.name()] = socket.address();
      last = inherit.last();
    }
    auto ready = parsed<wire::Ready>(recorded(From::successor, Kind::ready).record);
    for (auto& address : *ready.mutable_addresses()) address = address_now.at(name_then.at(address));
    answer(Kind::ready, ready);
  }

  void answer_offer(Frame& frame) {
    auto adopted = parsed<wire::Adopted>(recorded(From::successor, Kind::adopted).record);
    adopted.clear_taken();
    const auto offer = parsed<wire::Offer>(frame.record);
    for (const auto& parcel : offer.parcels()) adopted.add_taken(parcel.id());
    // The descriptors stay open, as with a successor that serves them.
    for (UniqueFd& descriptor : frame.descriptors) kept_.push_back(std::move(descriptor));
    answer(Kind::adopted, adopted);
  }

  Channel channel_;
  const std::vector<RecordedFrame> recording_;
  std::vector<UniqueFd> kept_;
};

}  // namespace

int main(int, char** argv) {
  const char* channel = std::getenv("BATON_HANDOFF");
  if (channel == nullptr) die("there is no BATON_HANDOFF");
  const std::string program = argv[0];
  ReplayingSuccessor(UniqueFd(std::atoi(channel)),
                     baton::versions::read_recording(program.substr(0, program.rfind('/') + 1) + "recording"))
      .run();
}
