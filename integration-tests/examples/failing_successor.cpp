// A successor of any server that uses handoff/, which soon fails.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "handoff/upgradable.hpp"

namespace handoff = baton::handoff;

namespace {

class CrashesWhileItAdopts final : public handoff::Service {
 public:
  void accept() override {}
  void stop_accepting() override {}
  handoff::Result<std::shared_ptr<handoff::Movable>> adopt(handoff::ReceivedParcel) override { std::abort(); }
};

}  // namespace

int main(int argc, char** argv) {
  handoff::Upgradable process({.arguments = {argv, argv + argc}, .version = "failing"});
  if (std::strcmp(FAILS_BY, "refusing") == 0) {
    process.refuse("there is a mistake in my configuration");
    return process.exit_code();
  }
  CrashesWhileItAdopts service;
  process.serve(service);
  process.attend_to_the_end();
  return process.exit_code();
}
