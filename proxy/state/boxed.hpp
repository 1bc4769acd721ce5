// An optional value allocated by itself: an owner without it pays only for a pointer. Copies and compares deeply.
#pragma once

#include <new>
#include <utility>

#include "proxy/state/memory.hpp"

namespace baton::state {

template <class Value>
class Boxed {
 public:
  Boxed() = default;
  Boxed(Value value) : value_(make(std::move(value))) {}
  Boxed(const Boxed& other) : value_(other ? make(*other) : nullptr) {}
  Boxed(Boxed&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
  Boxed& operator=(Boxed other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Boxed() { reset(); }

  Value& emplace() {
    Value* const fresh = make();
    reset();
    return *(value_ = fresh);
  }
  void reset() {
    if (Value* const old = std::exchange(value_, nullptr)) free(old);
  }
  explicit operator bool() const { return value_ != nullptr; }
  Value& operator*() const { return *value_; }
  Value* operator->() const { return value_; }
  Value* get() const { return value_; }

  bool operator==(const Boxed& other) const {
    return value_ && other.value_ ? *value_ == *other.value_ : !value_ && !other.value_;
  }

 private:
  template <class... From>
  static Value* make(From&&... from) {
    void* const memory = allocate(sizeof(Value));
    try {
      return new (memory) Value(std::forward<From>(from)...);
    } catch (...) {
      deallocate(memory, sizeof(Value));
      throw;
    }
  }
  // Apart, so that an owner of an empty box pays for a test only.
  [[gnu::noinline]] static void free(Value* value) {
    value->~Value();
    deallocate(value, sizeof(Value));
  }

  Value* value_ = nullptr;
};

}  // namespace baton::state
