// Verifies passwords in threads of their own: a hash that resists guessing takes longer to compute than a worker may
// stand still.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "handoff/guarded.hpp"
#include "proxy/http1/exchange.hpp"
#include "proxy/runtime/loop.hpp"

namespace baton::proxy {

// Where results go, for as long as there is a loop to take them.
class LoopAddress {
 public:
  explicit LoopAddress(runtime::Loop& loop) : loop_(&loop) {}
  // Before the loop ends.
  void end() { *loop_.lock() = nullptr; }
  void post(std::function<void()> task) {
    auto loop = loop_.lock();
    if (*loop != nullptr) (*loop)->post(std::move(task));
  }

 private:
  handoff::Guarded<runtime::Loop*> loop_;
};

// One for the process; any thread may call it.
class Verifier {
 public:
  // How many requests may wait; a further one is refused.
  static constexpr std::size_t waiting_max = 64;

  // A question that is being answered. The caller keeps it, and drops it to cancel.
  struct Question {
    Question(http1::PasswordQuestion the_question, std::function<void(bool is_good)> the_rest)
        : question(std::move(the_question)), then(std::move(the_rest)) {}
    const http1::PasswordQuestion question;
    const std::function<void(bool is_good)> then;  // called in the loop
  };

  Verifier();
  // Does not wait: work in progress is finished, and its result is dropped.
  ~Verifier();
  Verifier(const Verifier&) = delete;
  Verifier& operator=(const Verifier&) = delete;

  // Good credentials are remembered before `then` is called. False: too many wait, or no thread can be started.
  bool ask(const std::shared_ptr<Question>& question, std::shared_ptr<LoopAddress> loop);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace baton::proxy
