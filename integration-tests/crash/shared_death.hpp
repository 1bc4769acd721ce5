// Names a process that dies at one of its calls (sudden_death.cpp).
#pragma once

#include <string>

#include "crash/death.hpp"
#include "harness/baton.hpp"
#include "harness/shared_memory.hpp"

namespace baton::harness {

class SharedDeath {
 public:
  // For Settings::shell.
  std::string in_shell() const {
    return "export LD_PRELOAD=" + harness::in_shell(SUDDEN_DEATH) + " DEATH=" + harness::in_shell(path());
  }
  Death* operator->() const { return death_.operator->(); }
  bool has_come() const { return death_->count >= death_->at; }

 private:
  std::string path() const { return directory_ / "death"; }

  TempDir directory_;
  SharedWithModule<Death> death_{path()};
};

}  // namespace baton::harness
