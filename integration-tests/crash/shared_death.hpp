// Names a process that dies at one of its calls (sudden_death.cpp).
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <new>
#include <string>

#include "crash/death.hpp"
#include "harness/baton.hpp"

namespace baton::harness {

// The file is made before Baton starts, which maps it.
class SharedDeath {
 public:
  SharedDeath() {
    replace_file(path(), std::string(sizeof(Death), '\0'));
    const int file = ::open(path().c_str(), O_RDWR | O_CLOEXEC);
    void* const shared = ::mmap(nullptr, sizeof(Death), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (shared == MAP_FAILED) throw Failure("mmap");
    death_ = new (shared) Death;
  }
  ~SharedDeath() { ::munmap(death_, sizeof(Death)); }
  SharedDeath(const SharedDeath&) = delete;
  SharedDeath& operator=(const SharedDeath&) = delete;

  // For Settings::shell.
  std::string in_shell() const {
    return "export LD_PRELOAD=" + harness::in_shell(SUDDEN_DEATH) + " DEATH=" + harness::in_shell(path());
  }
  Death* operator->() { return death_; }
  bool has_come() const { return death_->count >= death_->at; }

 private:
  std::string path() const { return directory_ / "death"; }

  TempDir directory_;
  Death* death_;
};

}  // namespace baton::harness
