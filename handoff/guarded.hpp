// A value that several threads use. The type says so: only a lock gives access to it.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

namespace baton::handoff {

template <class Value>
class Guarded {
 public:
  template <class... Arguments>
  explicit Guarded(Arguments&&... arguments) : value_{std::forward<Arguments>(arguments)...} {}
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  // Access for as long as it lives. Not for two threads.
  class Lock {
   public:
    Value* operator->() { return value_; }
    Value& operator*() { return *value_; }

    // Releases the lock while it waits. True: `is_so(value)` is true.
    template <class Predicate>
    void wait(std::condition_variable& changed, Predicate is_so) {
      changed.wait(lock_, [&] { return is_so(*value_); });
    }
    template <class Time, class Predicate>
    bool wait_until(std::condition_variable& changed, Time deadline, Predicate is_so) {
      return changed.wait_until(lock_, deadline, [&] { return is_so(*value_); });
    }
    template <class Duration, class Predicate>
    bool wait_for(std::condition_variable& changed, Duration limit, Predicate is_so) {
      return changed.wait_for(lock_, limit, [&] { return is_so(*value_); });
    }

    // Runs `step` without the lock.
    template <class Step>
    void unlocked(Step step) {
      lock_.unlock();
      step();
      lock_.lock();
    }

   private:
    friend class Guarded;
    Lock(std::mutex& mutex, Value& value) : lock_(mutex), value_(&value) {}
    std::unique_lock<std::mutex> lock_;
    Value* value_;
  };

  Lock lock() { return Lock(mutex_, value_); }

 private:
  std::mutex mutex_;
  Value value_;
};

}  // namespace baton::handoff
