// A part of the test in its own process, which has its own descriptors. Create it before any thread.
#pragma once

#include <sys/types.h>

#include <functional>

namespace baton::harness {

class Child {
 public:
  // Runs `part` in a forked process, which ends with `part`, with the test, or with this object.
  explicit Child(const std::function<void()>& part);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  bool is_alive() const;

 private:
  pid_t pid_;
};

}  // namespace baton::harness
