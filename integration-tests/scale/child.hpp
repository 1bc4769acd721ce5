// A part of the test in a process of its own, for descriptors of its own. Make it before any thread.
#pragma once

#include <sys/types.h>

#include <functional>

namespace baton::harness {

class Child {
 public:
  // Runs `part` in a fork, which ends with it, with the test, or with this object.
  explicit Child(const std::function<void()>& part);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  bool is_alive() const;

 private:
  pid_t pid_;
};

}  // namespace baton::harness
