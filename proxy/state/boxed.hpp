// An optional value on the heap: an owner without it pays only for a pointer. Copies and compares deeply.
#pragma once

#include <memory>

namespace baton::state {

template <class Value>
class Boxed {
 public:
  Boxed() = default;
  Boxed(Value value) : value_(std::make_unique<Value>(std::move(value))) {}
  Boxed(const Boxed& other) : value_(other ? std::make_unique<Value>(*other) : nullptr) {}
  Boxed(Boxed&&) noexcept = default;
  Boxed& operator=(Boxed other) noexcept {
    value_.swap(other.value_);
    return *this;
  }

  Value& emplace() { return *(value_ = std::make_unique<Value>()); }
  void reset() { value_.reset(); }
  explicit operator bool() const { return value_ != nullptr; }
  Value& operator*() const { return *value_; }
  Value* operator->() const { return value_.get(); }
  Value* get() const { return value_.get(); }

  bool operator==(const Boxed& other) const {
    return value_ && other.value_ ? *value_ == *other.value_ : !value_ && !other.value_;
  }

 private:
  std::unique_ptr<Value> value_;
};

}  // namespace baton::state
