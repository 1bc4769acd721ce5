#include "proxy/cannot_start.hpp"

#include <unistd.h>

#include <exception>
#include <iostream>
#include <span>
#include <sstream>
#include <utility>
#include <vector>

#include "handoff/successor.hpp"
#include "proxy/runtime/log.hpp"

namespace baton {

namespace log = runtime::log;

namespace {

constexpr int exit_failed = 1;

// A successor that cannot start tells its predecessor why, since the operator looks there.
class Refuser final : public handoff::Adopter {
 public:
  explicit Refuser(std::string why) : why_(std::move(why)) {}
  handoff::Result<std::vector<std::string>> inherit(handoff::Inheritance) override {
    return handoff::fail(handoff::Fault::refused, why_);
  }
  void accept() override {}
  std::vector<handoff::Verdict> prepare(std::vector<handoff::ReceivedParcel> parcels) override {
    return std::vector<handoff::Verdict>(parcels.size(), why_);
  }
  void start(std::span<const handoff::ParcelId>) override {}
  void drop(std::span<const handoff::ParcelId>) override {}
  handoff::Result<void> take_over(const std::string&, const handoff::Report&) override {
    return handoff::fail(handoff::Fault::refused, why_);
  }

 private:
  std::string why_;
};

// A process started by another Baton writes into that one's event log, in its form: one line per line.
void log_why(const std::string& what, const std::string& why) {
  try {
    log::start(log::Level::info);
    if (!log::has_writer()) log::set_writer({"g? " + std::to_string(::getpid()), {}});
    std::istringstream lines(why);
    for (std::string line; std::getline(lines, line);) log::error("{}: {}", what, line);
    log::stop();
  } catch (const std::exception&) {  // no thread for the log
    std::cerr << what << ": " << why << std::endl;
  }
}

}  // namespace

int cannot_start(const std::string& version, const std::string& why, Predecessor predecessor, Told told) {
  const std::string text = why.substr(0, why.find_last_not_of('\n') + 1);
  if (told == Told::in_the_log) {
    log_why(predecessor.channel ? "cannot succeed" : "cannot start", text);
  } else {
    std::cerr << text << std::endl;
  }
  if (predecessor.channel) {
    Refuser refuser(text);
    // It is able to do all that this version can: that is not the reason. Nothing of it is called before it refuses.
    const handoff::Probation probation;
    handoff::succeed(std::move(predecessor.channel), refuser,
                     {.version = version, .features = {}, .speaks_first = predecessor.is_met}, &probation);
  }
  return exit_failed;
}

}  // namespace baton
