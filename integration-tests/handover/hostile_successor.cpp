// A successor that behaves correctly up to a step and then fails in one of many ways. It is started in the program's
// place, and a file named `behaviour` beside it names step and way ("Adopted hang"). Or it connects on its own, as an
// external successor: hostile_successor SOCKET STEP WAY
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

#include "handoff/meeting_point.hpp"
#include "handoff/records.hpp"

namespace {

using namespace baton::handoff;

struct Behaviour {
  std::string step;
  std::string way;
};

Behaviour behaviour_beside(const std::string& program) {
  std::ifstream in(program.substr(0, program.rfind('/') + 1) + "behaviour");
  Behaviour behaviour;
  in >> behaviour.step >> behaviour.way;
  return behaviour;
}

[[noreturn]] void die(const std::string& why) {
  std::cerr << "hostile successor: " << why << std::endl;
  std::_Exit(3);
}

class HostileSuccessor {
 public:
  HostileSuccessor(UniqueFd socket, Behaviour behaviour, bool speaks_first)
      : channel_(std::move(socket)), behaviour_(std::move(behaviour)), speaks_first_(speaks_first) {}

  void run() {
    if (speaks_first_) answer(Kind::hello, make_hello({0, ::getpid(), "hostile"}, {}));
    auto hello = parse<wire::Hello>(next());
    if (!hello) die(hello.error().text);
    if (!speaks_first_) answer(Kind::hello, make_hello({hello->generation() + 1, ::getpid(), "hostile"}, {}));

    wire::Ready ready;
    for (bool last = false; !last;) {
      Frame frame = next();
      auto inherit = parse<wire::Inherit>(frame);
      if (!inherit) die(inherit.error().text);
      for (const auto& socket : inherit->sockets()) ready.add_addresses(socket.address());
      keep(frame);
      last = inherit->last();
    }
    answer(Kind::ready, ready);
    if (next().kind != Kind::listen) die("no Listen");
    answer(Kind::listening, wire::Listening{});

    for (Frame frame = next(); frame.kind != Kind::done; frame = next()) answer_offer(frame);
    answer(Kind::bye, wire::Bye{});
    hang();
  }

 private:
  Frame next() {
    auto frame = channel_.receive(no_deadline);
    if (!frame) die(frame.error().text);
    return std::move(*frame);
  }

  void answer_offer(Frame& frame) {
    auto offer = parse<wire::Offer>(frame);
    if (!offer) die(offer.error().text);
    keep(frame);
    wire::Adopted adopted;
    for (const auto& parcel : offer->parcels()) {
      if (behaviour_.way == "refuse-all") {
        auto& refusal = *adopted.add_refused();
        refusal.set_id(parcel.id());
        refusal.set_reason("on principle");
      } else {
        adopted.add_taken(parcel.id());
        if (behaviour_.way == "adopt-one-and-die") break;
      }
    }
    answer(Kind::adopted, adopted);
    if (behaviour_.way == "adopt-one-and-die") ::kill(::getpid(), SIGKILL);
  }

  void answer(Kind kind, const google::protobuf::MessageLite& record) {
    if (behaviour_.step == kind_name(kind)) misbehave(kind, record);
    (void)send_record(channel_, kind, record, no_deadline);
  }

  void misbehave(Kind kind, const google::protobuf::MessageLite& record) {
    const std::string& way = behaviour_.way;
    if (way == "exit") std::_Exit(0);
    if (way == "kill") ::kill(::getpid(), SIGKILL);
    if (way == "hang") hang();
    if (way == "garbage") {
      (void)!::write(channel_.descriptor(), "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
      hang();
    }
    if (way == "another-kind") {
      (void)send_record(channel_, kind == Kind::bye ? Kind::hello : Kind::bye, record, no_deadline);
      hang();
    }
    if (way == "half-a-frame") {
      const char half[] = "BATN\0\1\0\1\0\0\1";
      (void)!::write(channel_.descriptor(), half, sizeof half);
      std::_Exit(0);
    }
  }

  [[noreturn]] void hang() {
    for (;;) ::pause();
  }

  // Descriptors stay open, as in a successor that serves them.
  void keep(Frame& frame) {
    for (UniqueFd& descriptor : frame.descriptors) kept_.push_back(std::move(descriptor));
  }

  Channel channel_;
  const Behaviour behaviour_;
  const bool speaks_first_;
  std::vector<UniqueFd> kept_;
};

}  // namespace

int main(int argc, char** argv) {
  const char* channel = std::getenv("BATON_HANDOFF");
  if (channel == nullptr && argc == 4) {
    auto socket = connect_to(argv[1], std::chrono::seconds(10));
    if (!socket) die(socket.error().text);
    HostileSuccessor(std::move(*socket), {argv[2], argv[3]}, true).run();
  }
  if (channel == nullptr) die("there is no BATON_HANDOFF");
  HostileSuccessor(UniqueFd(std::atoi(channel)), behaviour_beside(argv[0]), false).run();
}
