#include "handoff/supervision.hpp"

#include "handoff/estate.hpp"
#include "handoff/records.hpp"

namespace baton::handoff {

Result<void> tell_estate(Channel& line, const Side& self, const std::vector<std::string>& features, const Estate& estate,
                         Deadline deadline) {
  auto hello = send_record(line, Kind::hello, make_hello(self, features), deadline);
  return hello ? send_estate(line, estate, deadline) : hello;
}

Result<void> tell_succession(Channel& line, const SucceededBy& successor, Deadline deadline) {
  wire::Done done;
  done.mutable_report()->set_to_pid(successor.pid);
  done.set_foreign(successor.foreign);
  return send_record(line, Kind::done, done, deadline);
}

Result<void> tell_no_heir(Channel& line, const std::string& application, Deadline deadline) {
  wire::Returned returned;
  returned.set_application(application);
  return send_record(line, Kind::returned, returned, deadline);
}

Result<void> tell_end(Channel& line, Deadline deadline) { return send_record(line, Kind::bye, wire::Bye{}, deadline); }

Result<bool> hear_estate(Frame& frame, Inheritance& inheritance) {
  if (frame.kind == Kind::inherit) return take_inherit(frame, inheritance);
  auto hello = parse<wire::Hello>(frame);
  if (!hello) return std::unexpected(hello.error());
  inheritance = {};
  inheritance.generation = hello->generation();
  inheritance.version = hello->version();
  inheritance.features.assign(hello->features().begin(), hello->features().end());
  return false;
}

Result<SucceededBy> hear_succession(const Frame& frame) {
  auto done = parse<wire::Done>(frame);
  if (!done) return std::unexpected(done.error());
  return SucceededBy{done->report().to_pid(), done->foreign()};
}

Result<std::string> hear_no_heir(const Frame& frame) {
  auto returned = parse<wire::Returned>(frame);
  if (!returned) return std::unexpected(returned.error());
  return std::move(*returned->mutable_application());
}

}  // namespace baton::handoff
